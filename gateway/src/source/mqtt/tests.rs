//! What a real broker cannot be made to show at will: a pipeline without room, and the order of
//! acknowledgements on the wire.

use gatehouse_core::community::quantity::Language;
use gatehouse_core::reading::{Body, Frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::intake::PATIENCE;
use super::*;
use crate::config::Access;

const TOPIC: &str = "sense/c/d";
/// A subscription's return code: MQTT 3.1.1, section 3.9.3.
const REFUSED: u8 = 0x80;

#[tokio::test]
async fn a_pipeline_without_room_leaves_the_messages_at_the_broker() {
    let (listener, mut inputs, _settler) = start(1).await;
    let mut broker = Broker::accept(&listener).await;
    assert!(matches!(inputs.recv().await, Some(Input::Source { down: None, .. })));

    for packet in 1..=3 {
        broker.publish(packet, 1, &[b'0' + u8::try_from(packet).unwrap()]).await;
    }
    assert_eq!(broker.rest().await, [], "the connection was closed with nothing acknowledged");

    // There is room again: the broker is asked anew, and all three come.
    assert_eq!(payload(inputs.recv().await), b"1");
    let mut broker = Broker::accept(&listener).await;
    for packet in 1..=3u16 {
        let text = [b'0' + u8::try_from(packet).unwrap()];
        broker.publish(packet, 1, &text).await;
        assert_eq!(payload(inputs.recv().await), text);
    }
}

#[tokio::test(start_paused = true)]
async fn without_room_a_message_that_nobody_keeps_is_counted() {
    let (listener, mut inputs, _settler) = start(1).await;
    let mut broker = Broker::accept(&listener).await;
    assert!(matches!(inputs.recv().await, Some(Input::Source { down: None, .. })));

    for text in [b"1", b"2", b"3"] {
        broker.publish(0, 0, text).await;
    }
    // Paused time may jump once before the socket is looked at.
    for _ in 0..3 {
        tokio::time::sleep(PATIENCE).await;
    }

    assert_eq!(payload(inputs.recv().await), b"1");
    broker.say_something().await;
    match inputs.recv().await {
        Some(Input::Dropped { reason: "overload", device, count: 2, .. }) => {
            assert_eq!(device, Some(DeviceIndex(0)));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn many_acknowledgements_go_out_in_order() {
    const MESSAGES: u16 = 300;
    let (listener, mut inputs, mut settler) = start(1_024).await;
    let mut broker = Broker::accept(&listener).await;
    assert!(matches!(inputs.recv().await, Some(Input::Source { down: None, .. })));
    for packet in 1..=MESSAGES {
        broker.publish(packet, 1, b"x").await;
    }
    let mut tickets = Vec::new();
    for _ in 1..=MESSAGES {
        let Some(Input::Frame(frame)) = inputs.recv().await else { panic!() };
        tickets.push(frame.ticket.unwrap());
    }

    // Late ones first, in stretches, as they come back from the disk.
    for stretch in tickets.chunks(37).rev() {
        for ticket in stretch {
            settler.settle(*ticket);
        }
    }

    for packet in 1..=MESSAGES {
        assert_eq!(broker.packet().await, Some((0x40, packet.to_be_bytes().to_vec())));
    }
}

#[tokio::test]
async fn a_broker_that_refuses_the_subscriptions_is_down_and_says_which() {
    let (listener, mut inputs, _settler) = start(1_024).await;

    let mut broker = Broker::answer(&listener, REFUSED).await;

    match inputs.recv().await {
        Some(Input::Source { down: Some(why), .. }) => {
            assert!(why.en.contains("refuses 1 of 1 subscriptions (`sense/c/d`)"), "{why:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(broker.rest().await, [], "there is nothing to come on this connection");
    let _granted = Broker::accept(&listener).await;
    assert!(matches!(inputs.recv().await, Some(Input::Source { down: None, .. })));
}

#[tokio::test]
async fn a_session_gives_up_the_pictures_that_it_was_subscribed_to_and_lets_go_of_those_it_kept() {
    const PICTURES: &str = "cameras/yard";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (config, identity) = (config(&listener), identity());
    let (sender, mut inputs) = mpsc::channel(8);
    let routes = vec![(DeviceIndex(0), TOPIC.to_owned())];
    let (session, stop) = (Session::default(), CancellationToken::new());
    let ours = prepare(&config, &identity, SourceIndex(0), routes, &session, sender, stop).unwrap();
    ours.without(vec![PICTURES.to_owned()]).spawn();

    let mut broker = Broker(listener.accept().await.unwrap().0);
    assert_eq!(broker.packet().await.map(|p| p.0 >> 4), Some(1), "CONNECT");
    broker.0.write_all(&[0x20, 2, 1, 0]).await.unwrap();
    let (kind, body) = broker.packet().await.unwrap();
    assert_eq!((kind >> 4, &body[4..]), (10, PICTURES.as_bytes()), "UNSUBSCRIBE");
    broker.0.write_all(&[0xb0, 2, body[0], body[1]]).await.unwrap();
    broker.subscribed(1).await;
    broker.publish_at(PICTURES, 7, 1, b"\xFF\xD8\xFF").await;

    assert_eq!(broker.packet().await, Some((0x40, vec![0, 7])), "it does not come again");
    broker.say_something().await;
    loop {
        match inputs.recv().await {
            Some(Input::Dropped { reason: "retained", device: None, count: 1, .. }) => break,
            Some(Input::Source { down: None, .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_broker_of_cameras_alone_is_up_though_nothing_is_asked_of_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (sender, mut inputs) = mpsc::channel(8);
    let (session, stop) = (Session::default(), CancellationToken::new());
    let (config, identity, source) = (config(&listener), identity(), SourceIndex(0));
    let ours = prepare(&config, &identity, source, Vec::new(), &session, sender, stop).unwrap();
    ours.without(vec!["cameras/yard".to_owned()]).spawn();

    let mut broker = Broker(listener.accept().await.unwrap().0);
    assert_eq!(broker.packet().await.map(|p| p.0 >> 4), Some(1), "CONNECT");
    broker.0.write_all(&[0x20, 2, 1, 0]).await.unwrap();

    assert!(matches!(inputs.recv().await, Some(Input::Source { down: None, .. })));
}

async fn start(room: usize) -> (TcpListener, mpsc::Receiver<Input>, Settler) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (config, identity) = (config(&listener), identity());
    let (sender, inputs) = mpsc::channel(room);
    let routes = vec![(DeviceIndex(0), TOPIC.to_owned())];
    let stop = CancellationToken::new();
    let (_, settler) =
        super::start(&config, &identity, SourceIndex(0), routes, sender, stop).unwrap();
    (listener, inputs, settler)
}

fn config(listener: &TcpListener) -> BrokerConfig {
    BrokerConfig {
        id: "sensors".into(),
        url: format!("mqtt://{}", listener.local_addr().unwrap()),
        access: Access::default(),
        client_id: None,
        max_payload_bytes: 100,
    }
}

fn identity() -> Identity {
    Identity { id: "g".into(), township: "t".into(), language: Language::En }
}

fn payload(input: Option<Input>) -> Vec<u8> {
    match input {
        Some(Input::Frame(Frame { body: Body::Payload(payload), .. })) => payload,
        other => panic!("{other:?}"),
    }
}

/// One accepted connection, after its subscription.
struct Broker(TcpStream);

impl Broker {
    async fn accept(listener: &TcpListener) -> Self {
        Self::answer(listener, 1).await
    }

    /// Answers the subscription so.
    async fn answer(listener: &TcpListener, code: u8) -> Self {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut broker = Self(stream);
        assert_eq!(broker.packet().await.map(|p| p.0 >> 4), Some(1), "CONNECT");
        broker.0.write_all(&[0x20, 2, 1, 0]).await.unwrap();
        broker.subscribed(code).await;
        broker
    }

    async fn subscribed(&mut self, code: u8) {
        let (kind, body) = self.packet().await.unwrap();
        assert_eq!(kind >> 4, 8, "SUBSCRIBE");
        self.0.write_all(&[0x90, 3, body[0], body[1], code]).await.unwrap();
    }

    async fn publish(&mut self, packet: u16, qos: u8, payload: &[u8]) {
        self.publish_at(TOPIC, packet, qos, payload).await;
    }

    async fn publish_at(&mut self, topic: &str, packet: u16, qos: u8, payload: &[u8]) {
        let mut body = u16::try_from(topic.len()).unwrap().to_be_bytes().to_vec();
        body.extend(topic.as_bytes());
        if qos > 0 {
            body.extend(packet.to_be_bytes());
        }
        body.extend(payload);
        body.splice(0..0, [0x30 | qos << 1, u8::try_from(body.len()).unwrap()]);
        self.0.write_all(&body).await.unwrap();
    }

    /// So that the client comes round to telling what it knows.
    async fn say_something(&mut self) {
        self.0.write_all(&[0xd0, 0]).await.unwrap();
    }

    async fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let kind = self.0.read_u8().await.ok()?;
        let mut body = vec![0; usize::from(self.0.read_u8().await.ok()?)];
        self.0.read_exact(&mut body).await.ok()?;
        Some((kind, body))
    }

    /// All packets until the client closes the connection.
    async fn rest(&mut self) -> Vec<(u8, Vec<u8>)> {
        let mut packets = Vec::new();
        while let Some(packet) = self.packet().await {
            packets.push(packet);
        }
        packets
    }
}
