//! A camera's packets over UDP, as they would come over TCP: each in a frame of RTSP (RFC 2326, 10.12).

use std::io::{Error, ErrorKind};
use std::net::IpAddr;

use tokio::net::UdpSocket;

use super::framing::PREFIX;

/// Attempts to find two ports side by side, of which the first is even (RFC 3550, section 11).
const MOST_ATTEMPTS: usize = 20;
/// A packet without content to each port of the camera opens the way for its own through a firewall.
const KNOCKS: [&[u8]; 2] = [
    // RTP, version 2.
    &[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    // RTCP: a report on nothing.
    &[0x80, 201, 0, 1, 0, 0, 0, 0],
];

/// Two sockets: pictures come to the first, reports on them to the second.
pub(super) struct Datagrams {
    sockets: [UdpSocket; 2],
    port: u16,
    /// The next packet's number.
    next: Option<u16>,
}

impl Datagrams {
    /// Listens at an address of ours.
    pub(super) async fn bind(to: IpAddr) -> std::io::Result<Self> {
        for _ in 0..MOST_ATTEMPTS {
            let first = UdpSocket::bind((to, 0)).await?;
            let port = first.local_addr()?.port();
            if !port.is_multiple_of(2) {
                continue;
            }
            if let Ok(second) = UdpSocket::bind((to, port + 1)).await {
                return Ok(Self { sockets: [first, second], port, next: None });
            }
        }
        Err(Error::new(ErrorKind::AddrInUse, "no two ports side by side are free"))
    }

    pub(super) fn ports(&self) -> (u16, u16) {
        (self.port, self.port + 1)
    }

    /// Hears nobody but the camera, which sends from two ports as well.
    pub(super) async fn connect(&self, ip: IpAddr, port: u16) -> std::io::Result<()> {
        let second = port.checked_add(1).ok_or(ErrorKind::InvalidInput)?;
        for ((socket, port), knock) in self.sockets.iter().zip([port, second]).zip(KNOCKS) {
            socket.connect((ip, port)).await?;
            socket.send(knock).await?;
        }
        Ok(())
    }

    /// The next packet, in a frame; how long it is. Packets that were overtaken are let go, as over TCP
    /// there are none.
    pub(super) async fn receive(&mut self, frame: &mut [u8]) -> std::io::Result<usize> {
        let (prefix, packet) = frame.split_at_mut(PREFIX);
        loop {
            let channel = tokio::select! {
                ready = self.sockets[0].readable() => ready.map(|()| 0_u8),
                ready = self.sockets[1].readable() => ready.map(|()| 1),
            }?;
            let bytes = match self.sockets[usize::from(channel)].try_recv(packet) {
                Ok(bytes) => bytes,
                // The second is told when the camera does not listen to our knock.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::ConnectionRefused
                    ) =>
                {
                    continue;
                }
                Err(error) => return Err(error),
            };
            if channel == 0 && self.is_overtaken(&packet[..bytes]) {
                continue;
            }
            let [high, low] = u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes();
            prefix.copy_from_slice(&[b'$', channel, high, low]);
            return Ok(PREFIX + bytes);
        }
    }

    /// By its number (RFC 3550, section 5.1), which begins anew after the largest.
    fn is_overtaken(&mut self, packet: &[u8]) -> bool {
        let &[_, _, high, low, ..] = packet else { return false };
        let number = u16::from_be_bytes([high, low]);
        if self.next.is_some_and(|next| number.wrapping_sub(next) > 0x8000) {
            return true;
        }
        self.next = Some(number.wrapping_add(1));
        false
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn packets_come_in_frames_and_in_order() {
        let us = IpAddr::from(Ipv4Addr::LOCALHOST);
        let (mut ours, camera) =
            (Datagrams::bind(us).await.unwrap(), Datagrams::bind(us).await.unwrap());
        assert!(ours.ports().0.is_multiple_of(2));
        camera.connect(us, ours.ports().0).await.unwrap();
        ours.connect(us, camera.ports().0).await.unwrap();
        let mut frame = vec![0; 100];
        // What it knocked with before we knew it.
        for _ in 0..2 {
            ours.receive(&mut frame).await.unwrap();
        }
        ours.next = None;
        for number in [65_534_u16, 65_535, 1, 0, 65_533, 2] {
            let packet = [&[0x80, 96][..], &number.to_be_bytes()].concat();
            camera.sockets[0].send(&packet).await.unwrap();
        }
        let mut came = Vec::new();
        while came.last() != Some(&2) {
            let bytes = ours.receive(&mut frame).await.unwrap();
            assert_eq!((bytes, &frame[..4]), (8, &[b'$', 0, 0, 4][..]));
            came.push(u16::from_be_bytes([frame[6], frame[7]]));
        }
        assert_eq!(came, [65_534, 65_535, 1, 2], "what was overtaken is let go");

        camera.sockets[1].send(&[0x80, 200, 0, 0]).await.unwrap();
        assert_eq!(ours.receive(&mut frame).await.unwrap(), 8);
        assert_eq!(frame[..4], [b'$', 1, 0, 4]);
    }
}
