//! Do the people hold together: teams, shifts and times that name what there is.

use super::super::calendar::dates::Hours;
use super::super::document::Document;
use super::super::fault::nearest;
use super::super::people::{Escalation, ShiftDays};
use super::super::site::Site;
use super::calendar::is_in_doubt;
use super::{check_id, unique};

/// Reports what is wrong with `[[team]]`, `[[person]]`, `[[shift]]` and `[[escalation]]`.
pub(super) fn check(document: &mut Document, site: &Site) {
    unique(document, "team", "id", site.teams.iter().map(|team| &team.id));
    unique(document, "person", "id", site.people.iter().map(|person| &person.id));
    for (position, team) in site.teams.iter().enumerate() {
        check_id(document, &format!("team.{position}.id"), &team.id);
        for (at, area) in team.areas.iter().enumerate() {
            let areas = site.areas.iter().map(|area| area.id.as_str());
            check_known(
                document,
                &format!("team.{position}.areas.{at}"),
                ("area", "id"),
                area,
                areas,
            );
        }
    }
    let has_calendar = site.calendar.is_some() || is_in_doubt(document);
    for (position, person) in site.people.iter().enumerate() {
        let path = format!("person.{position}");
        check_id(document, &format!("{path}.id"), &person.id);
        // Who is sent is named by one id.
        if site.teams.iter().any(|team| team.id == person.id) {
            let message = format!("`{}` is the id of a team already", person.id);
            document.fault(&format!("{path}.id"), message, None);
        }
        check_teams(document, &path, &person.teams, site);
        for (at, alert) in person.alerts.iter().enumerate() {
            let path = format!("{path}.alert.{at}");
            for (at, level) in alert.levels.iter().enumerate() {
                check_level(document, &format!("{path}.levels.{at}"), *level);
            }
            check_hours(document, &format!("{path}.hours"), alert.hours, has_calendar);
        }
    }
    for (position, shift) in site.shifts.iter().enumerate() {
        let path = format!("shift.{position}");
        let teams = site.teams.iter().map(|team| team.id.as_str());
        check_known(document, &format!("{path}.team"), ("team", "id"), &shift.team, teams);
        for (at, id) in shift.people.iter().enumerate() {
            check_shift_person(document, &format!("{path}.people.{at}"), id, &shift.team, site);
        }
        check_hours(document, &format!("{path}.hours"), shift.hours, has_calendar);
        if shift.days != ShiftDays::All && !has_calendar {
            let message = "the community has no `[calendar]`, so nobody knows which days these are";
            document.fault(&format!("{path}.days"), message, Some(CALENDAR.to_owned()));
        }
    }
    check_escalations(document, &site.escalations);
}

const CALENDAR: &str = "write `[calendar]` with `time-zone = \"+08:00\"` into community.toml";

fn check_escalations(document: &mut Document, escalations: &[Escalation]) {
    for (position, escalation) in escalations.iter().enumerate() {
        let path = format!("escalation.{position}.level");
        check_level(document, &path, escalation.level);
        let is_twice = escalations[..position].iter().any(|other| other.level == escalation.level);
        if is_twice {
            let message = format!("level {} has an `[[escalation]]` already", escalation.level);
            document.fault(&path, message, None);
        }
        for (key, period) in [
            ("acknowledge-within", escalation.acknowledge_within),
            ("handle-within", escalation.handle_within),
            ("review-within", escalation.review_within),
        ] {
            if period.is_some_and(|period| period.0.as_secs() < 10) {
                let message =
                    format!("nobody can do anything within that time; `{key}` is 10 s at least");
                document.fault(&format!("escalation.{position}.{key}"), message, None);
            }
        }
    }
}

fn check_teams(document: &mut Document, path: &str, teams: &[String], site: &Site) {
    for (at, id) in teams.iter().enumerate() {
        let known = site.teams.iter().map(|team| team.id.as_str());
        check_known(document, &format!("{path}.teams.{at}"), ("team", "id"), id, known);
    }
}

fn check_shift_person(document: &mut Document, path: &str, id: &str, team: &str, site: &Site) {
    let known = site.people.iter().map(|person| person.id.as_str());
    check_known(document, path, ("person", "id"), id, known);
    let Some(position) = site.people.iter().position(|person| person.id == id) else { return };
    let is_member = site.people[position].teams.iter().any(|of| of == team);
    let is_told = document.is_doubtful(&format!("person.{position}.teams"));
    if !is_member && !is_told && site.teams.iter().any(|known| known.id == team) {
        let help = format!("write `{team}` into this person's `teams`");
        document.fault(path, format!("`{id}` is not in the team `{team}`"), Some(help));
    }
}

/// Reports an id that nothing in that list of the file has.
fn check_known<'a>(
    document: &mut Document,
    path: &str,
    (list, key): (&str, &str),
    id: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) {
    if !known.clone().any(|known| known == id) && !document.has_doubtful(list, key) {
        document.fault(path, format!("there is no {list} `{id}`"), nearest(id, known));
    }
}

fn check_level(document: &mut Document, path: &str, level: u8) {
    if !(1..=4).contains(&level) {
        document.fault(path, format!("a level is 1 to 4, found {level}"), None);
    }
}

fn check_hours(document: &mut Document, path: &str, hours: Option<Hours>, has_calendar: bool) {
    if hours.is_some() && !has_calendar {
        let message = "the community has no `[calendar]`, so nobody can tell when that is";
        document.fault(path, message, Some(CALENDAR.to_owned()));
    }
}
