//! Item 11: frames from the controller.

use vouch_tables::*;

use crate::bench::*;
use crate::frames::*;

fn send(location: LocationId) -> PacketOut {
    PacketOut::Send { bd: bd(5), location }
}

fn receive(location: LocationId) -> PacketOut {
    PacketOut::Receive { bd: bd(5), location }
}

#[test]
fn a_probe_leaves_by_exactly_one_place() {
    // Wherever the host is recorded: the place is the controller's choice.
    let mut bench = Bench::new().with_host(host(1), tunnel(2));
    let probe = arp(host(1), PROBE, ARP, 1, "192.168.0.254".parse().unwrap(), "192.168.0.1".parse().unwrap());
    assert_eq!(bench.send_from_controller(send(access(1)), &probe).sent(1), probe);
    assert_eq!(bench.send_from_controller(send(access(2)), &probe).sent(2), tagged(20, &probe));
    let outcome = bench.send_from_controller(send(tunnel(1)), &probe);
    let sent = outcome.sent(10);
    assert_eq!(inner(sent), probe);
    assert_eq!(usize::from(word(sent, 16)), 36 + probe.len(), "the packet_out header is not counted");
    assert_eq!(sent[46..49], VNI.to_be_bytes()[1..]);
}

#[test]
fn a_released_frame_is_flooded_as_if_it_had_just_come_in() {
    // The sender is recorded elsewhere still: a released frame is not checked again.
    let mut bench = Bench::new().with_host(host(1), tunnel(1));
    let frame = announcement(host(1));
    let outcome = bench.send_from_controller(receive(access(2)), &frame);
    assert_eq!((outcome.ports(), outcome.punts.len(), outcome.drops.len()), (vec![1, 3, 10, 11], 0, 0));
    assert_eq!(outcome.frames[0].1, frame);
    assert_eq!(inner(&outcome.frames[2].1), frame);
    let outcome = bench.send_from_controller(receive(tunnel(1)), &frame);
    assert_eq!(outcome.ports(), [1, 2, 3], "split horizon holds for it too");
}

#[test]
fn a_released_unicast_frame_finds_its_destination() {
    let mut bench = Bench::new().with_host(host(9), tunnel(2)).with_host(host(3), access(3));
    let frame = data(host(9), host(1));
    assert_eq!(inner(bench.send_from_controller(receive(access(1)), &frame).sent(11)), frame);
    bench.send_from_controller(receive(tunnel(2)), &frame).dropped(DropReason::BackToOrigin);
    bench.send_from_controller(receive(tunnel(1)), &frame).dropped(DropReason::TunnelToTunnel);
}

#[test]
fn a_place_that_is_not_there_is_a_counted_drop() {
    let mut bench = Bench::new();
    bench.send_from_controller(send(access(77)), &data(host(1), PROBE)).dropped(DropReason::NoLocationPort);
}

#[test]
fn what_the_controller_gets_wrong_is_a_counted_drop() {
    let mut bench = Bench::new();
    let frame = data(host(1), PROBE);
    let with_header = |mode: u8, location: u16| [&[mode, 0, 5][..], &location.to_be_bytes(), &[0; 7], &frame].concat();
    assert_eq!(bench.send(CPU_PORT, &with_header(0, 1)).ports(), [1]);
    bench.send(CPU_PORT, &with_header(4, 1)).dropped(DropReason::BadPacketOut);
    bench.send(CPU_PORT, &with_header(255, 1)).dropped(DropReason::BadPacketOut);
    bench.send(CPU_PORT, &with_header(0, 0)).dropped(DropReason::NoLocationPort);
    bench.send_from_controller(send(access(1)), &tagged(20, &frame)).dropped(DropReason::UnknownInterface);
    bench.send_from_controller(send(access(1)), &tagged(0, &frame)).dropped(DropReason::StackedTag);
    bench.send_from_controller(send(access(1)), &frame[..10]).dropped(DropReason::Malformed);
    // Cut inside the packet_out header.
    bench.send(CPU_PORT, &[0, 0]).dropped(DropReason::Malformed);
    // Without one.
    bench.send(CPU_PORT, &frame).dropped(DropReason::UnknownInterface);
}

#[test]
fn a_question_comes_back_as_proof_that_it_left() {
    // Known there or not: the place is the controller's choice.
    let mut bench = Bench::new().with_host(host(1), tunnel(2));
    for reason in PuntReason::ALL {
        for location in [access(1), access(2), tunnel(1)] {
            bench.budget(reason, location);
            bench.budget_of_none(location);
        }
    }
    let probe = arp(host(1), PROBE, ARP, 1, "192.168.0.254".parse().unwrap(), "192.168.0.1".parse().unwrap());
    // More often than any budget allows.
    for _ in 0..4 {
        for location in [access(1), access(2), tunnel(1)] {
            let outcome = bench.send_from_controller(PacketOut::Ask { bd: bd(5), location }, &probe);
            let back = PacketIn {
                ingress_port: port(CPU_PORT),
                bd: bd(5),
                reason: PuntReason::Sent,
                location,
                recorded: None,
            };
            assert_eq!(outcome.punted(), (back, &probe[..]));
            let sent = bench.send_from_controller(send(location), &probe);
            assert_eq!((outcome.frames, outcome.drops, outcome.policed), (sent.frames, vec![], vec![]));
        }
    }
}

#[test]
fn a_question_to_a_place_that_is_not_there_does_not_come_back() {
    let mut bench = Bench::new();
    let ask = PacketOut::Ask { bd: bd(5), location: access(77) };
    bench.send_from_controller(ask, &data(host(1), PROBE)).dropped(DropReason::NoLocationPort);
}

#[test]
fn an_echo_comes_back_and_goes_nowhere_else() {
    let mut bench = Bench::new().with_host(host(1), access(1));
    bench.budget(PuntReason::Sent, access(1));
    bench.budget_of_none(access(1));
    for frame in [data(host(1), PROBE), announcement(host(1)), ethernet(host(1), PROBE, 0x88b5, b"mark 7")] {
        for _ in 0..4 {
            let outcome = bench.send_from_controller(PacketOut::Echo { bd: bd(5) }, &frame);
            let (header, back) = outcome.held(PuntReason::Sent);
            assert_eq!((header.bd, header.ingress_port, back), (bd(5), port(CPU_PORT), &frame[..]));
        }
    }
    bench.send_from_controller(PacketOut::Echo { bd: bd(5) }, &[0; 10]).dropped(DropReason::Malformed);
}

#[test]
fn nobody_else_speaks_for_the_controller() {
    let mut bench = Bench::new();
    let frame = data(host(1), PROBE);
    let forged = [&[0, 0, 5, 0, 3, 0, 0, 0, 0, 0, 0, 0][..], &frame].concat();
    assert_eq!(bench.send(CPU_PORT, &forged).ports(), [3]);
    bench.send(1, &forged).dropped(DropReason::BadSourceMac);
    bench.send(10, &forged).dropped(DropReason::BadSourceMac);
    bench.send(7, &forged).dropped(DropReason::UnknownInterface);
}
