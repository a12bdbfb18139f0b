//! Handles from session to session, and other controllers.

use p4_switch::commands::Access;
use vouch_p4runtime::client::Standing;
use vouch_p4runtime::{EventReceiver, Session, SessionConfig};
use vouch_switch_server::SwitchServer;

use crate::support::{Switch, refusal, said};

const ADD: &str = "table_add host host_forward 1 => 1";

/// A controller that is primary.
fn controller(switch: &Switch, election_id: u128) -> (Session, EventReceiver) {
    switch.runtime.block_on(async {
        let (session, events) = Session::connect(switch.config(election_id)).expect("the address is one");
        session.until_primary().await;
        (session, events)
    })
}

#[test]
fn an_entry_keeps_its_handle_in_later_sessions() {
    let switch = Switch::running();
    let mut first = switch.shell();
    for destination in [9, 7, 8] {
        said(&mut first, &format!("table_add host host_forward {destination} => 1"));
    }
    drop(first);
    let mut second = switch.shell();
    said(&mut second, "table_delete host 1");
    let dump = said(&mut second, "table_dump host");
    let shown: Vec<_> = dump.lines().filter(|line| line.contains("entry 0x") || line.contains("EXACT")).collect();
    let key = |value: u8| format!("* hdr.ethernet.dst    : EXACT     {value:012x}");
    assert_eq!(shown, ["Dumping entry 0x0", &key(9), "Dumping entry 0x2", &key(8)]);
    assert_eq!(said(&mut second, "table_add host host_forward 7 => 1"), "Entry has been added with handle 3\n");
}

#[test]
fn two_sessions_see_each_others_entries() {
    let switch = Switch::running();
    let (mut first, mut second) = (switch.shell(), switch.shell());
    said(&mut second, "table_num_entries host");
    assert_eq!(refusal(&mut second, "table_delete host 0"), "table_delete: the table has no entry with handle 0");
    said(&mut first, ADD);
    first.rest();
    said(&mut second, "table_delete host 0");
}

#[test]
fn a_running_controller_keeps_the_switch() {
    let switch = Switch::running();
    let (session, _events) = controller(&switch, 5);
    let mut shell = switch.shell();
    assert_eq!(said(&mut shell, "table_num_entries host"), "0\n");
    assert_eq!(
        refusal(&mut shell, ADD),
        "table_add: a controller with election id 5 has the switch; what there is can be shown, and --election-id 6 \
         takes the switch from it"
    );
    assert_eq!(session.standing(), Standing::Primary);

    let mut insisting = switch.shell_as(Access { config: switch.config(6), insists: true });
    said(&mut insisting, ADD);
}

#[test]
fn a_controller_with_the_same_election_id_keeps_the_switch() {
    let switch = Switch::running();
    let (session, _events) = controller(&switch, 1);
    let mut shell = switch.shell();
    said(&mut shell, "table_dump host");
    assert_eq!(
        refusal(&mut shell, ADD),
        "table_add: another controller has election id 1; what there is can be shown, and --election-id 2 may take the \
         switch from it"
    );
    assert_eq!(session.standing(), Standing::Primary);
}

#[test]
fn the_id_of_a_controller_that_has_left_is_borrowed() {
    let switch = Switch::running();
    let (session, events) = controller(&switch, 5);
    drop((session, events));
    // The switch may not have heard of it yet.
    let mut shell = switch.shell();
    while let Err(refused) = shell.line(ADD) {
        assert!(refused.contains("a controller with election id 5 has the switch"), "{refused}");
    }
    shell.rest();
    let told = loop {
        let mut low =
            switch.shell_as(Access { config: SessionConfig { election_id: 4, ..switch.config(1) }, insists: true });
        let told = refusal(&mut low, "table_delete host 0");
        if !told.contains("has the switch;") {
            break told;
        }
    };
    assert_eq!(told, "table_delete: a controller had the switch with election id 5; no lower one than that will do");
    // It comes back as if nothing had been.
    let (session, _events) = controller(&switch, 5);
    assert_eq!(session.election_id(), 5);
}

#[test]
fn a_switch_that_is_taken_away_is_told_of() {
    let switch = Switch::running();
    let mut shell = switch.shell();
    said(&mut shell, ADD);
    let (_session, _events) = controller(&switch, 5);
    let told = "table_delete: another controller has taken the switch; --election-id says whether to take it back";
    assert_eq!(refusal(&mut shell, "table_delete host 0"), told);
    assert_eq!(said(&mut shell, "table_num_entries host"), "1\n");
}

#[test]
fn it_works_with_a_server_that_does_as_bmv2s() {
    let switch = Switch::start(SwitchServer::builder().bmv2_compat(true));
    let (program, p4info) = crate::support::kinds();
    let mut shell = switch.shell();
    shell.start_with(&program, Some(&p4info)).expect("p4c wrote it");
    said(&mut shell, ADD);
    said(&mut shell, "table_add acl drop 0&&&0 0->65535 0&&&0 => 1");
    assert!(said(&mut shell, "table_dump host").contains("Action entry: Forward.drop - \n"));
}
