//! Tells systemd how the service does: that it is up, that its parts are alive, that it is about to end.
//!
//! The protocol is that of `sd_notify(3)`: a datagram of `NAME=value` to the socket that the environment
//! names. Without one nobody asked, and nothing is told. systemd restarts a service that falls silent, so
//! [`keep_alive`] speaks only while somebody says that there is life: a timer of its own would go on over a
//! gateway that hangs.

use std::env;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Signs of life within the time after which systemd gives a service up; one may be late.
const SIGNS: u32 = 3;

/// Whoever started us and wants to know.
#[derive(Debug, Default)]
pub struct Supervisor {
    socket: Option<UnixDatagram>,
    /// Without a sign of life for this long it ends us.
    patience: Option<Duration>,
}

impl Supervisor {
    /// The one that the environment names (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`), or nobody.
    pub fn from_environment() -> Self {
        let Some(address) = env::var_os("NOTIFY_SOCKET") else { return Self::default() };
        let number = |name| env::var(name).ok()?.parse::<u64>().ok();
        let is_ours = number("WATCHDOG_PID").is_none_or(|id| id == u64::from(std::process::id()));
        let patience = number("WATCHDOG_USEC").filter(|_| is_ours).map(Duration::from_micros);
        Self::at(Path::new(&address), patience)
    }

    /// The one that listens there; an address that begins with `@` is no file but a name (unix(7)).
    fn at(address: &Path, patience: Option<Duration>) -> Self {
        let connect = || {
            let place = match address.as_os_str().as_bytes() {
                [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
                _ => SocketAddr::from_pathname(address)?,
            };
            let socket = UnixDatagram::unbound()?;
            socket.connect_addr(&place)?;
            socket.set_nonblocking(true)?;
            std::io::Result::Ok(socket)
        };
        match connect() {
            Ok(socket) => Self { socket: Some(socket), patience },
            Err(error) => {
                let address = address.display();
                tracing::warn!(%address, %error, "nobody can be told that the gateway is up");
                Self::default()
            }
        }
    }

    /// The gateway works; `status` is for people.
    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}", status.replace('\n', " ")));
    }

    /// The gateway is about to end.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, what: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(what.as_bytes()) {
            tracing::warn!(%error, "the supervisor was not told: {what}");
        }
    }
}

/// Gives signs of life until `stop`, each after `is_alive` has said so; comes back at once when nobody
/// wants any.
pub async fn keep_alive(
    supervisor: &Supervisor,
    is_alive: impl AsyncFn() -> bool,
    stop: &CancellationToken,
) {
    let Some(patience) = supervisor.patience else { return };
    let mut pace = tokio::time::interval((patience / SIGNS).max(Duration::from_millis(1)));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(pace.tick()).await.is_some() {
        if is_alive().await {
            supervisor.tell("WATCHDOG=1");
        } else {
            tracing::error!(
                "a part of the gateway hangs; without a change it is started anew soon"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn supervised() -> (Supervisor, UnixDatagram, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let ear = UnixDatagram::bind(&path).unwrap();
        ear.set_nonblocking(true).unwrap();
        (Supervisor::at(&path, Some(Duration::from_secs(30))), ear, folder)
    }

    fn heard(ear: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 256];
        std::iter::from_fn(|| ear.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec()))
            .map(|bytes| String::from_utf8(bytes).unwrap())
            .collect()
    }

    #[test]
    fn what_is_told_is_what_sd_notify_would_send() {
        let (supervisor, ear, _folder) = supervised();

        supervisor.ready("console on\nhttp://127.0.0.1:8080/");
        supervisor.stopping();

        assert_eq!(
            heard(&ear),
            ["READY=1\nSTATUS=console on http://127.0.0.1:8080/", "STOPPING=1"]
        );
    }

    #[test]
    fn a_name_that_is_no_file_is_found_too() {
        let name = format!("gatehouse-{}", std::process::id());
        let place = SocketAddr::from_abstract_name(&name).unwrap();
        let ear = UnixDatagram::bind_addr(&place).unwrap();
        ear.set_nonblocking(true).unwrap();

        Supervisor::at(Path::new(&format!("@{name}")), None).stopping();

        assert_eq!(heard(&ear), ["STOPPING=1"]);
    }

    #[test]
    fn nobody_who_listens_is_no_fault() {
        Supervisor::default().ready("");
        Supervisor::at(Path::new("/nobody/listens/here"), None).stopping();
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_hangs_gives_no_sign_of_life() {
        let (supervisor, ear, _folder) = supervised();
        let (stop, looks) = (CancellationToken::new(), Cell::new(0));
        let hangs_at_the_third = async || {
            looks.set(looks.get() + 1);
            looks.get() != 3
        };

        let kept = keep_alive(&supervisor, hangs_at_the_third, &stop);
        let over = tokio::time::timeout(Duration::from_secs(35), kept).await;

        assert!(over.is_err(), "it goes on until it is stopped");
        assert_eq!((looks.get(), heard(&ear)), (4, vec!["WATCHDOG=1".to_owned(); 3]));
    }
}
