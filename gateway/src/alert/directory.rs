//! Who can be told, and who is responsible for an event: people on duty by `community.toml`, groups and
//! loudspeakers by their channels.

use std::collections::BTreeMap;

use gatehouse_core::alert::pace::Limit;
use gatehouse_core::alert::{Recipient, Zone};
use gatehouse_core::community::Community;
use gatehouse_core::community::frequency::Frequency;
use gatehouse_core::community::people::{Person, Team, on_duty};
use gatehouse_core::community::quantity::Language;
use gatehouse_core::event::message::{EventData, Transition};
use gatehouse_core::reading::Timestamp;

use super::channel;
use super::config::ChannelConfig;

const ALL_LEVELS: [u8; 4] = [1, 2, 3, 4];

/// Everybody who can be told.
pub(super) fn recipients(
    community: &Community,
    channels: &[ChannelConfig],
    language: Language,
) -> Vec<Recipient> {
    let groups = channels.iter().flat_map(|channel| {
        own_addresses(channel).into_iter().map(move |(id, address)| Recipient {
            id,
            name: channel.id.clone(),
            language: channel.language.unwrap_or(language),
            channel: channel.id.clone(),
            address,
            levels: levels(&channel.levels),
            hours: channel.hours,
            budget: a_day(channel.budget),
            way: None,
        })
    });
    let people = community.duties.people.iter().flat_map(|person| {
        ways(person).into_iter().enumerate().map(move |(way, (id, alert))| Recipient {
            id,
            name: person.id.clone(),
            language: person.language,
            channel: alert.channel.clone(),
            address: alert.address.clone(),
            levels: levels(&alert.levels),
            hours: alert.hours,
            budget: a_day(alert.budget),
            way: Some(way),
        })
    });
    groups.chain(people).filter(|to| channels.iter().any(|c| c.id == to.channel)).collect()
}

/// How often each channel may be used.
pub(super) fn limits(channels: &[ChannelConfig]) -> BTreeMap<String, Vec<Limit>> {
    channels.iter().map(|config| (config.id.clone(), channel::limits(config))).collect()
}

pub(super) fn zone(community: &Community) -> Zone {
    Zone(community.calendar.as_ref().map(|calendar| calendar.time_zone))
}

/// Who is responsible for an event as a record has it: recipients' ids. One that was given to somebody
/// is theirs.
pub(super) fn responsible(
    community: &Community,
    channels: &[ChannelConfig],
    transition: Transition,
    data: &EventData,
    now: Timestamp,
) -> Vec<String> {
    let duties = &community.duties;
    let assignee =
        data.handling.assignee.as_deref().filter(|_| transition == Transition::Dispatched);
    let team = assignee.and_then(|id| duties.team(id));
    let is_own = |channel: &&ChannelConfig| match assignee {
        Some(id) => channel.teams.iter().any(|team| team == id),
        None if transition == Transition::Dispatched => false,
        None => serves(community, channel, data),
    };
    let groups = channels.iter().filter(is_own).flat_map(own_addresses).map(|(id, _)| id);
    let people: Vec<&Person> = match (assignee, team) {
        (Some(_), Some(team)) => members(community, team, data, now),
        (Some(id), None) => duties.person(id).into_iter().collect(),
        (None, _) if transition == Transition::Dispatched => Vec::new(),
        (None, _) => on_duty(community, data.tier, &data.area, now),
    };
    let people = people.into_iter().flat_map(ways).map(|(id, _)| id);
    groups.chain(people).collect()
}

/// Those of a team whose shift it is; all of them when it is nobody's.
fn members<'c>(
    community: &'c Community,
    team: &Team,
    data: &EventData,
    now: Timestamp,
) -> Vec<&'c Person> {
    let is_in = |person: &&Person| person.teams.contains(&team.id);
    let area = team.areas.first().unwrap_or(&data.area);
    let on: Vec<&Person> =
        on_duty(community, team.tier, area, now).into_iter().filter(|p| is_in(p)).collect();
    if on.is_empty() { community.duties.people.iter().filter(is_in).collect() } else { on }
}

fn serves(community: &Community, channel: &ChannelConfig, data: &EventData) -> bool {
    let has_area = |areas: &[String]| areas.is_empty() || areas.contains(&data.area);
    let mut teams = channel.teams.iter().filter_map(|id| community.duties.team(id));
    let cares = |team: &Team| team.tier == data.tier && has_area(&team.areas);
    has_area(&channel.areas) && (channel.teams.is_empty() || teams.any(cares))
}

/// What a channel tells by itself: its group, or its own addresses.
fn own_addresses(channel: &ChannelConfig) -> Vec<(String, String)> {
    if channel.wants_address() {
        channel.to.iter().map(|to| (format!("{}>{to}", channel.id), to.clone())).collect()
    } else {
        vec![(channel.id.clone(), String::new())]
    }
}

/// The ways to reach a person, each with the name of its box of mail.
fn ways(person: &Person) -> Vec<(String, &gatehouse_core::community::people::PersonAlert)> {
    let numbered = person.alerts.iter().enumerate();
    numbered.map(|(at, alert)| (format!("{}@{}#{at}", person.id, alert.channel), alert)).collect()
}

fn levels(configured: &[u8]) -> Vec<u8> {
    if configured.is_empty() { ALL_LEVELS.to_vec() } else { configured.to_vec() }
}

/// Whole messages a day, one at least.
fn a_day(budget: Option<Frequency>) -> Option<u32> {
    let per_day = budget?.per_second() * 86_400.0;
    // A float to an integer is cut off at the ends.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded above")]
    Some((per_day + 1e-9).clamp(1.0, 1e6) as u32)
}
