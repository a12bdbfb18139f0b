//! Bytes that are not calls, and calls that are not for anybody here.

use crate::support::{Bytes, Reply, Switch, of};

const COUNT: &str = "standard:bm_mt_get_num_entries";

#[test]
fn old_and_new_headers_and_unknown_names_are_answered_and_the_talk_goes_on() {
    let switch = Switch::start();
    let mut client = switch.connect();
    assert_eq!(client.call_as_before(COUNT, of("Forward.host")), Reply::Number(0));
    for name in ["standard:nothing", "nobody:bm_reset_state", "bm_reset_state", ""] {
        let answer = client.call(name, of("Forward.host"));
        assert!(matches!(&answer, Reply::Failed(_, 1)), "{name}: {answer:?}");
    }
    // Fields that nobody knows, and known ones of another type, are left out.
    let odd = Bytes::default().string(1, "x").string(2, "Forward.host").field(15, 99).list(8, 1).number(5);
    assert_eq!(client.call(COUNT, odd), Reply::Number(0));
    assert_eq!(client.call(COUNT, of("Forward.host")), Reply::Number(0));
}

#[test]
fn lengths_that_nothing_has_end_the_talk_and_nothing_else() {
    let switch = Switch::start();
    let header = |name: &str| Bytes(vec![0x80, 1, 0, 1]).text(name.as_bytes()).number(1);
    let after = |bytes: Bytes| [header("standard:bm_mt_add_entry"), bytes].into_iter().flat_map(|it| it.0).collect();
    let cases: [Vec<u8>; 8] = [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0xff; 64],
        [0x7f, 0xff, 0xff, 0xff].to_vec(),
        [vec![0x80, 1, 0, 1], i32::MAX.to_be_bytes().to_vec()].concat(),
        [vec![0x80, 1, 0, 1], (-1i32).to_be_bytes().to_vec()].concat(),
        after(Bytes::default().field(11, 2).number(i32::MAX)),
        after(Bytes::default().field(15, 3).list(12, i32::MAX)),
        after(Bytes([0x0c, 0, 9].repeat(200))),
    ];
    for bytes in cases {
        let mut client = switch.connect();
        client.send(&bytes);
        client.stream.shutdown(std::net::Shutdown::Write).expect("it is open");
        // Perhaps an answer, and then the end.
        let mut rest = Vec::new();
        let _ = std::io::Read::read_to_end(&mut client.stream, &mut rest);
        assert!(rest.len() < 1000, "{bytes:?}");
    }
    assert_eq!(switch.connect().call(COUNT, of("Forward.host")), Reply::Number(0));
}

#[test]
fn there_are_only_so_many_clients_and_all_leave_with_the_server() {
    let mut switch = Switch::start();
    let mut clients: Vec<_> = (0..128).map(|_| switch.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.call(COUNT, of("Forward.host")), Reply::Number(0));
    }
    assert!(switch.connect().is_over());
    switch.stop_serving();
    assert!(clients.iter_mut().all(crate::support::Client::is_over));
}
