//! Who is called: people, their teams and shifts, and how long an event may wait for them.
//!
//! These types *are* the file format of `[[team]]`, `[[person]]`, `[[shift]]` and `[[escalation]]` in
//! `config/community.toml`. Alerts go to those [`on_duty`], the pipeline's timers by [`Duties::times`].

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Community;
use super::calendar::dates::Hours;
use super::frequency::Frequency;
use super::quantity::{Language, Period, Text};
use super::scene::Tier;
use crate::reading::Timestamp;

/// Who does what, as configured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Duties {
    pub teams: Vec<Team>,
    pub people: Vec<Person>,
    pub shifts: Vec<Shift>,
    pub escalations: Vec<Escalation>,
}

/// `[[team]]`: people who handle the events of a tier, somewhere or everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Team {
    pub id: String,
    pub title: Text,
    pub tier: Tier,
    /// Areas, by id; all of them when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub areas: Vec<String>,
}

/// `[[person]]`: somebody who is sent or called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Person {
    pub id: String,
    pub name: String,
    /// Teams, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
    /// What alerts are written in.
    #[serde(default = "zh")]
    pub language: Language,
    /// The name under which this person logs in to the console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// How this person is reached; first what is tried first.
    #[serde(rename = "alert", default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<PersonAlert>,
}

fn zh() -> Language {
    Language::Zh
}

/// `[[person.alert]]`: one way to reach a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PersonAlert {
    /// A `[[channel]]` of `gateway.toml`, by id.
    pub channel: String,
    /// A telephone number, an e-mail address, a user's id: what the channel needs. Empty for a channel
    /// that has one address for all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// Only these levels; all of them when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<u8>,
    /// Only then, by the community's `[calendar]`: `"07:00-23:00"`; always when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// At most so many, as in `"20 per day"`; what is over it comes as one digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Frequency>,
}

/// `[[shift]]`: when people of a team are on duty. A team without shifts is on duty always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Shift {
    /// A team, by id.
    pub team: String,
    /// People of that team, by id.
    pub people: Vec<String>,
    /// By the community's `[calendar]`: `"20:00-08:00"`; a night belongs to the day on which it begins.
    /// All day when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    #[serde(default)]
    pub days: ShiftDays,
}

/// The days of a shift.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShiftDays {
    #[default]
    All,
    /// Days on which people work, by the community's `[calendar]`.
    Business,
    /// All others.
    Other,
}

/// `[[escalation]]`: how long events of a level wait for a person before the next tier is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Escalation {
    /// 1 extraordinary (red) .. 4 general (blue).
    #[schemars(range(min = 1, max = 4))]
    pub level: u8,
    /// Until somebody acknowledges it. Left out: 5 min, 15 min, 2 h, 24 h from level I to IV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledge_within: Option<Period>,
    /// From then until it is handled, and from then until its sensor finds it gone. Left out: 1 h,
    /// 4 h, 24 h, 7 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle_within: Option<Period>,
    /// Until somebody says whether it may be sent on, where the scene asks for that. Left out: 15 min,
    /// 30 min, 2 h, 24 h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_within: Option<Period>,
}

/// How long an event waits for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    pub acknowledge: Duration,
    pub handle: Duration,
    pub review: Duration,
}

/// From level I to IV, where `[[escalation]]` says nothing else.
const DEFAULTS: [Times; 4] = [
    Times {
        acknowledge: Duration::from_mins(5),
        handle: Duration::from_hours(1),
        review: Duration::from_mins(15),
    },
    Times {
        acknowledge: Duration::from_mins(15),
        handle: Duration::from_hours(4),
        review: Duration::from_mins(30),
    },
    Times {
        acknowledge: Duration::from_hours(2),
        handle: Duration::from_hours(24),
        review: Duration::from_hours(2),
    },
    Times {
        acknowledge: Duration::from_hours(24),
        handle: Duration::from_hours(7 * 24),
        review: Duration::from_hours(24),
    },
];

impl Duties {
    /// How long events of a level wait; `None` in a community without teams, where nobody is there to
    /// be called next.
    pub fn times(&self, level: u8) -> Option<Times> {
        if self.teams.is_empty() {
            return None;
        }
        let defaults = DEFAULTS[usize::from(level.clamp(1, 4)) - 1];
        let own = self.escalations.iter().find(|own| own.level == level);
        let or = |own: Option<Period>, default: Duration| own.map_or(default, |period| period.0);
        Some(Times {
            acknowledge: or(own.and_then(|own| own.acknowledge_within), defaults.acknowledge),
            handle: or(own.and_then(|own| own.handle_within), defaults.handle),
            review: or(own.and_then(|own| own.review_within), defaults.review),
        })
    }

    pub fn person(&self, id: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.id == id)
    }

    pub fn team(&self, id: &str) -> Option<&Team> {
        self.teams.iter().find(|team| team.id == id)
    }

    /// Whether somebody of that id can be sent: a person or a team.
    pub fn can_send(&self, id: &str) -> bool {
        self.person(id).is_some() || self.team(id).is_some()
    }
}

/// Who handles events of a tier in an area (by id) at that moment: the people of its teams whose shift
/// it is, each once, in the order of the file.
pub fn on_duty<'c>(
    community: &'c Community,
    tier: Tier,
    area: &str,
    now: Timestamp,
) -> Vec<&'c Person> {
    let duties = &community.duties;
    let cares = |team: &&Team| {
        team.tier == tier && (team.areas.is_empty() || team.areas.iter().any(|a| a == area))
    };
    let teams: Vec<&Team> = duties.teams.iter().filter(cares).collect();
    let is_on = |person: &Person, team: &Team| {
        let mut shifts = duties.shifts.iter().filter(|shift| shift.team == team.id).peekable();
        let has_none = shifts.peek().is_none();
        let mut own = shifts.filter(|shift| shift.people.contains(&person.id));
        person.teams.contains(&team.id)
            && (has_none || own.any(|shift| shift.holds(community, now)))
    };
    let mut people: Vec<&Person> = Vec::new();
    people
        .extend(duties.people.iter().filter(|person| teams.iter().any(|team| is_on(person, team))));
    people
}

/// Whether it is one of those hours by the community's `[calendar]`; always when there are none, or no
/// calendar to tell.
pub fn is_within(community: &Community, hours: Option<Hours>, now: Timestamp) -> bool {
    let local = community.calendar.as_ref().and_then(|calendar| calendar.time_zone.local(now));
    match (hours, local) {
        (Some(hours), Some(local)) => hours.contains(local.time()),
        (None, _) | (_, None) => true,
    }
}

impl Shift {
    fn holds(&self, community: &Community, now: Timestamp) -> bool {
        const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
        if !is_within(community, self.hours, now) {
            return false;
        }
        // Nobody can tell the days without a calendar; somebody should rather be called than not.
        let Some(calendar) = &community.calendar else { return true };
        let Some(local) = calendar.time_zone.local(now) else { return true };
        let began_yesterday = self.hours.is_some_and(|hours| hours.is_past_midnight(local.time()));
        let day = if began_yesterday { Timestamp(now.0.saturating_sub(DAY_MS)) } else { now };
        let is_business = calendar.at(day).is_none_or(|moment| moment.business_day);
        match self.days {
            ShiftDays::All => true,
            ShiftDays::Business => is_business,
            ShiftDays::Other => !is_business,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::community::site::Site;
    use crate::community::tests::community;

    const DUTIES: &str = r#"
        [community]
        id = "c"
        title = { zh = "社区", en = "community" }
        [calendar]
        time-zone = "+08:00"
        holidays = ["2026-10-01/2026-10-07"]
        [[team]]
        id = "guards"
        title = { zh = "保安", en = "guards" }
        tier = "grid"
        [[team]]
        id = "east-grid"
        title = { zh = "东区网格员", en = "grid workers East" }
        tier = "grid"
        areas = ["east"]
        [[team]]
        id = "office"
        title = { zh = "物业值班", en = "office" }
        tier = "community"
        [[person]]
        id = "li"
        name = "李"
        teams = ["guards", "east-grid"]
        [[person]]
        id = "wang"
        name = "王"
        teams = ["guards"]
        [[person]]
        id = "zhao"
        name = "赵"
        teams = ["office"]
        [[shift]]
        team = "guards"
        people = ["wang"]
        hours = "20:00-08:00"
        days = "business"
        [[shift]]
        team = "guards"
        people = ["li"]
        days = "other"
        [[escalation]]
        level = 1
        acknowledge-within = "3 min"
    "#;

    fn with_duties() -> Community {
        let site: Site = toml::from_str(DUTIES).unwrap();
        Community {
            calendar: site.calendar.clone().map(Arc::new),
            duties: site.duties(),
            ..community()
        }
    }

    #[test]
    fn the_one_on_duty_is_of_the_tier_the_area_and_the_shift() {
        let community = with_duties();
        let at = |tier, area, at: &str| {
            let people = on_duty(&community, tier, area, at.parse().unwrap());
            people.iter().map(|person| person.id.as_str()).collect::<Vec<_>>().join(" ")
        };

        let cases = [
            ("west", "2026-03-02T21:00:00+08:00", "wang", "a Monday night"),
            (
                "west",
                "2026-03-07T07:59:00+08:00",
                "li wang",
                "Friday's night ends on Saturday morning",
            ),
            ("west", "2026-03-07T21:00:00+08:00", "li", "a Saturday"),
            ("west", "2026-03-02T12:00:00+08:00", "", "a Monday noon, which nobody has"),
            ("east", "2026-03-02T12:00:00+08:00", "li", "a team without shifts is always there"),
            ("east", "2026-03-02T21:00:00+08:00", "li wang", "both teams"),
            ("west", "2026-10-01T22:00:00+08:00", "li", "a holiday"),
        ];
        for (area, when, expected, why) in cases {
            assert_eq!(at(Tier::Grid, area, when), expected, "{why}");
        }
        assert_eq!(at(Tier::Community, "west", "2026-03-02T12:00:00+08:00"), "zhao");
        assert_eq!(at(Tier::Township, "west", "2026-03-02T12:00:00+08:00"), "");
    }

    #[test]
    fn times_are_those_of_the_file_else_the_usual_ones_and_none_without_teams() {
        let duties = with_duties().duties;

        let first = duties.times(1).unwrap();
        assert_eq!(
            (first.acknowledge, first.handle),
            (Duration::from_mins(3), Duration::from_hours(1))
        );
        assert_eq!(duties.times(4), Some(DEFAULTS[3]));
        assert_eq!(Duties::default().times(1), None);
    }
}
