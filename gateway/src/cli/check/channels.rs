//! What is wrong with `[alerts]`, `[[channel]]` and `[[bays-webhook]]`, and with those who name a channel.

use std::collections::BTreeMap;

use gatehouse_core::community::Community;
use gatehouse_core::community::build::File;
use gatehouse_core::community::document::Document;
use gatehouse_core::community::fault::{Fault, nearest};
use gatehouse_core::community::site::Site;

use super::gateway::{check_name, check_unique};
use crate::alert::config::{ChannelConfig, KINDS};
use crate::config::GatewayConfig;

pub(super) fn check(document: &mut Document, config: &GatewayConfig) {
    if let Some(base) = &config.alerts.base_url {
        check_url(document, "alerts.base-url", base);
    }
    if config.alerts.links_last.0.is_zero() {
        document.fault("alerts.links-last", "`links-last` must be longer than nothing", None);
    }
    let mut ids = BTreeMap::new();
    for (position, channel) in config.channels.iter().enumerate() {
        let path = format!("channel.{position}");
        check_name(document, &format!("{path}.id"), &channel.id);
        check_unique(document, &format!("{path}.id"), &channel.id, &mut ids);
        check_channel(document, &path, channel);
    }
    for (position, hook) in config.bays_webhooks.iter().enumerate() {
        let path = format!("bays-webhook.{position}");
        check_url(document, &format!("{path}.url"), &hook.url);
        check_secret(document, &format!("{path}.secret-file"), &hook.secret_file, false);
        if let Some(file) = &hook.ca_file {
            check_secret(document, &format!("{path}.ca-file"), file, false);
        }
    }
}

fn check_channel(document: &mut Document, path: &str, channel: &ChannelConfig) {
    match channel.kinds().as_slice() {
        [_] => {}
        [] => {
            let message = format!("a channel has one of `{}`, found none", KINDS.join("`, `"));
            document.fault(path, message, None);
        }
        [first, second, ..] => {
            let message = format!("a channel is one thing, found `{first}` and `{second}`");
            let help = Some("give each a channel of its own".to_owned());
            document.key_fault(&format!("{path}.{second}"), message, help);
        }
    }
    for (at, level) in channel.levels.iter().enumerate() {
        if !(1..=4).contains(level) {
            let message = format!("there is no level {level}; expected 1 (red) to 4 (blue)");
            document.fault(&format!("{path}.levels.{at}"), message, None);
        }
    }
    if !channel.to.is_empty() && !channel.wants_address() {
        let message = "`to` is for `email` and `sms`; this channel has one address for all";
        document.key_fault(&format!("{path}.to"), message, None);
    }
    let mut files = channel.clone();
    for (key, file) in files.files() {
        check_secret(document, &format!("{path}.{key}"), file, key.ends_with("url-file"));
    }
    if let Some(webhook) = &channel.webhook {
        check_url(document, &format!("{path}.webhook.url"), &webhook.url);
    }
    if let Some(sms) = &channel.sms {
        check_url(document, &format!("{path}.sms.url"), &sms.url);
        let all = format!("{} {}", sms.url, sms.body.as_deref().unwrap_or_default());
        for needed in ["{phone}", "{text}"] {
            if !all.contains(needed) {
                let message = format!("neither `url` nor `body` has `{needed}`");
                document.fault(&format!("{path}.sms.url"), message, None);
            }
        }
        for (at, header) in sms.headers.iter().enumerate() {
            if !header.contains(':') {
                let message = format!("`{header}` is no header; expected `Name: value`");
                document.fault(&format!("{path}.sms.headers.{at}"), message, None);
            }
        }
    }
    if let Some(email) = &channel.email {
        let pair = (email.user.is_some(), email.password_file.is_some());
        if pair.0 != pair.1 {
            let given = if pair.0 { "user" } else { "password-file" };
            let missing = if pair.0 { "password-file" } else { "user" };
            let message = format!("`{given}` needs `{missing}` too");
            document.key_fault(&format!("{path}.email.{given}"), message, None);
        }
        if !email.from.contains('@') {
            let message = format!("`{}` is no sender; expected `Name <name@host>`", email.from);
            document.fault(&format!("{path}.email.from"), message, None);
        }
    }
}

fn check_url(document: &mut Document, path: &str, url: &str) {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with(['/', ':', '?'])) {
        let message = format!("`{url}` is not an address; expected `https://host/…`");
        document.fault(path, message, None);
    }
}

/// Nothing of what a file holds is told.
fn check_secret(document: &mut Document, path: &str, file: &std::path::Path, is_url: bool) {
    match std::fs::read_to_string(file) {
        Err(error) => {
            let message = format!("`{}` cannot be read: {error}", file.display());
            document.fault(path, message, None);
        }
        Ok(text) if text.trim().is_empty() => {
            document.fault(path, format!("`{}` is empty", file.display()), None);
        }
        Ok(text) if is_url && !text.starts_with("https://") && !text.starts_with("http://") => {
            let message = format!("`{}` holds no address; expected `https://…`", file.display());
            let help = "copy the robot's whole webhook address into it".to_owned();
            document.fault(path, message, Some(help));
        }
        Ok(_) => {}
    }
}

/// Channels that people name and that are not there, and names of the community that channels have and
/// it does not.
pub(super) fn check_names(
    gateway: &mut Document,
    config: &GatewayConfig,
    community: &Community,
    site: &File,
) -> Vec<Fault> {
    let before = gateway.faults().len();
    let teams = || community.duties.teams.iter().map(|team| team.id.as_str());
    let areas = || community.areas.iter().map(|area| area.id.as_str());
    for (position, channel) in config.channels.iter().enumerate() {
        for (at, id) in channel.teams.iter().enumerate().filter(|(_, id)| teams().all(|t| t != *id))
        {
            let path = format!("channel.{position}.teams.{at}");
            gateway.fault(
                &path,
                format!("community.toml has no team `{id}`"),
                nearest(id, teams()),
            );
        }
        for (at, id) in channel.areas.iter().enumerate().filter(|(_, id)| areas().all(|a| a != *id))
        {
            let path = format!("channel.{position}.areas.{at}");
            gateway.fault(
                &path,
                format!("community.toml has no area `{id}`"),
                nearest(id, areas()),
            );
        }
        if let Some(relay) = &channel.relay {
            check_relay(gateway, &format!("channel.{position}.relay"), relay, community);
        }
    }
    let mut faults = gateway.faults()[before..].to_vec();
    let (mut document, _) = Document::read::<Site>(&site.name, &site.text);
    let known = || config.channels.iter().map(|channel| channel.id.as_str());
    let before = document.faults().len();
    for (person, alert, told) in
        community.duties.people.iter().enumerate().flat_map(|(p, person)| {
            person.alerts.iter().enumerate().map(move |(a, told)| (p, a, told))
        })
    {
        let path = format!("person.{person}.alert.{alert}");
        let channel = config.channels.iter().find(|channel| channel.id == told.channel);
        if channel.is_none() {
            let message = format!("gateway.toml has no channel `{}`", told.channel);
            document.fault(&format!("{path}.channel"), message, nearest(&told.channel, known()));
        } else if told.address.is_empty() && channel.is_some_and(ChannelConfig::wants_address) {
            let message = format!("the channel `{}` needs an `address`", told.channel);
            document.fault(&path, message, None);
        }
    }
    faults.extend_from_slice(&document.faults()[before..]);
    faults
}

fn check_relay(
    gateway: &mut Document,
    path: &str,
    relay: &crate::alert::config::RelayConfig,
    community: &Community,
) {
    let Some(device) = community.devices.iter().find(|device| device.id == relay.device) else {
        let message = format!("community.toml has no device `{}`", relay.device);
        let help = nearest(&relay.device, community.devices.iter().map(|d| d.id.as_str()));
        gateway.fault(&format!("{path}.device"), message, help);
        return;
    };
    let points = || device.device_type.points.iter().map(|point| point.name.as_str());
    let path = format!("{path}.point");
    let Some(point) = device.device_type.points.iter().find(|point| point.name == relay.point)
    else {
        let message = format!("the device `{}` has no point `{}`", relay.device, relay.point);
        gateway.fault(&path, message, nearest(&relay.point, points()));
        return;
    };
    let takes = |value: f64| {
        point.writable.as_ref().is_some_and(|w| w.range.0 <= value && value <= w.range.1)
    };
    if !(takes(0.0) && takes(1.0)) {
        let message = format!(
            "the point `{}` of `{}` cannot be switched: its device type does not declare it \
             `writable` with 0 and 1 in its range",
            relay.point, relay.device
        );
        let others = device.device_type.points.iter().filter(|point| point.writable.is_some());
        gateway.fault(&path, message, nearest(&relay.point, others.map(|p| p.name.as_str())));
    }
}
