//! Every command with its form and what it does.

/// A command.
#[derive(Clone, Copy, Debug)]
pub struct CommandWord {
    /// The command itself.
    pub name: &'static str,
    /// What follows it. `TABLE`, `ACTION`, `PROFILE`, `COUNTER`, `METER`, `REGISTER`, `SET` and `COMMAND` stand for names that can be
    /// completed.
    pub form: &'static str,
    /// What it does.
    pub help: &'static str,
}

const fn word(name: &'static str, form: &'static str, help: &'static str) -> CommandWord {
    CommandWord { name, form, help }
}

/// All commands, in the order in which help lists them.
pub const WORDS: &[CommandWord] = &[
    word("show_tables", "", "all tables with their keys"),
    word("show_actions", "", "all actions with their parameters"),
    word("table_info", "TABLE", "a table's key and actions"),
    word("table_show_actions", "TABLE", "a table's actions"),
    word(
        "table_add",
        "TABLE ACTION KEY... => [PARAMETER...] [PRIORITY]",
        "add an entry. A key field is VALUE, VALUE/LENGTH (lpm), VALUE&&&MASK (ternary, optional) or LOW->HIGH (range). \
         Tables with one of the last three take a priority, of which the lowest number wins",
    ),
    word("table_modify", "TABLE ACTION HANDLE [PARAMETER...]", "change what an entry does"),
    word("table_delete", "TABLE HANDLE", "remove an entry"),
    word("table_clear", "TABLE", "remove all entries, but not the default"),
    word("table_set_default", "TABLE ACTION [PARAMETER...]", "set what is done on a miss"),
    word("table_reset_default", "TABLE", "do on a miss what the program has for it"),
    word("table_set_timeout", "TABLE HANDLE MILLISECONDS", "have the idle entry reported after this time; 0 is never"),
    word("table_num_entries", "TABLE", "how many entries there are"),
    word("table_dump", "TABLE", "all entries, members and groups, and the default"),
    word("table_dump_entry", "TABLE HANDLE", "one entry"),
    word("table_dump_entry_from_key", "TABLE KEY... [PRIORITY]", "the entry with this key"),
    word("table_indirect_add", "TABLE KEY... => MEMBER [PRIORITY]", "add an entry that does what a member does"),
    word("table_indirect_add_with_group", "TABLE KEY... => GROUP [PRIORITY]", "add an entry that selects of a group"),
    word("table_indirect_delete", "TABLE HANDLE", "remove such an entry"),
    word("table_indirect_set_default", "TABLE MEMBER", "do on a miss what a member does"),
    word("table_indirect_set_default_with_group", "TABLE GROUP", "select of a group on a miss"),
    word("table_indirect_reset_default", "TABLE", "do on a miss what the program has for it"),
    word("act_prof_create_member", "PROFILE ACTION [PARAMETER...]", "add a member to an action profile"),
    word("act_prof_modify_member", "PROFILE ACTION MEMBER [PARAMETER...]", "change what a member does"),
    word("act_prof_delete_member", "PROFILE MEMBER", "remove a member"),
    word("act_prof_create_group", "PROFILE", "add a group without members"),
    word("act_prof_delete_group", "PROFILE GROUP", "remove a group"),
    word("act_prof_add_member_to_group", "PROFILE MEMBER GROUP", "put a member into a group"),
    word("act_prof_remove_member_from_group", "PROFILE MEMBER GROUP", "take a member out of a group"),
    word("act_prof_dump", "PROFILE", "all members and groups"),
    word("act_prof_dump_member", "PROFILE MEMBER", "one member"),
    word("act_prof_dump_group", "PROFILE GROUP", "one group"),
    word("mirroring_add", "SESSION PORT", "send the clones of a session to a port"),
    word("mirroring_add_mc", "SESSION GROUP", "send the clones of a session to a multicast group"),
    word("mirroring_delete", "SESSION", "drop the clones of a session"),
    word("mirroring_get", "SESSION", "where the clones of a session go"),
    word("mc_mgrp_create", "GROUP", "make a multicast group without nodes"),
    word("mc_mgrp_destroy", "GROUP", "remove a multicast group"),
    word(
        "mc_node_create",
        "RID PORT... [| LAG...]",
        "make a node: copies with this egress_rid, to these ports and to one port of each aggregation group",
    ),
    word("mc_node_update", "NODE PORT... [| LAG...]", "give a node other ports"),
    word("mc_node_associate", "GROUP NODE", "put a node into a group"),
    word("mc_node_dissociate", "GROUP NODE", "take a node out of a group"),
    word("mc_node_destroy", "NODE", "remove a node, also from its groups"),
    word("mc_dump", "", "all multicast groups with their nodes"),
    word("counter_read", "COUNTER INDEX", "packets and bytes; of a direct counter by the entry's handle"),
    word("counter_write", "COUNTER INDEX PACKETS BYTES", "set a counter"),
    word("counter_reset", "COUNTER", "set all cells of a counter to 0"),
    word("register_read", "REGISTER [INDEX]", "a cell of a register, or all of them"),
    word("register_write", "REGISTER INDEX VALUE", "set a cell of a register"),
    word("register_reset", "REGISTER", "set all cells of a register to 0"),
    word(
        "meter_set_rates",
        "METER INDEX RATE:BURST RATE:BURST",
        "set committed and peak rate, in units per microsecond, and bursts in units; of a direct meter by the entry's handle",
    ),
    word("meter_array_set_rates", "METER RATE:BURST RATE:BURST", "set the rates of all cells"),
    word("meter_get_rates", "METER INDEX", "the rates of a meter"),
    word("show_pvs", "", "all parser value sets with their widths"),
    word("pvs_add", "SET VALUE", "put a value into a parser value set"),
    word("pvs_remove", "SET VALUE", "take a value out of a parser value set"),
    word("pvs_get", "SET", "the values of a parser value set"),
    word("pvs_clear", "SET", "take all values out of a parser value set"),
    word("show_ports", "", "ports and whether they are up; over P4Runtime where the switch serves gNMI"),
    word(
        "load_new_config_file",
        "PROGRAM.json [P4INFO]",
        "read another program; over P4Runtime with its P4Info, which is looked for beside it where none is named",
    ),
    word("swap_configs", "", "run the program that was read last; all tables are empty then"),
    word("write_config_to_file", "FILE", "write the program that runs into a file (Thrift)"),
    word("set_queue_depth", "PACKETS [PORT [PRIORITY]]", "how many packets egress queues hold (Thrift)"),
    word("set_queue_rate", "PACKETS_PER_SECOND [PORT [PRIORITY]]", "how fast packets leave egress queues (Thrift)"),
    word("mc_set_lag_membership", "LAG PORT...", "the ports of a link aggregation group (Thrift)"),
    word("port_add", "INTERFACE PORT [CAPTURE]", "add a port (Thrift)"),
    word("port_remove", "PORT", "remove a port (Thrift)"),
    word("reset_state", "", "make everything as it was when the program started (Thrift)"),
    word("switch_info", "", "the device's number, and where it listens (Thrift)"),
    word("get_time_elapsed", "", "microseconds since the switch was started (Thrift)"),
    word("get_time_since_epoch", "", "microseconds since the beginning of the switch's clock (Thrift)"),
    word("serialize_state", "FILE", "write all that the switch holds into a file (Thrift)"),
    word(
        "set_crc16_parameters",
        "CALCULATION POLYNOMIAL REMAINDER XOR REFLECT_DATA REFLECT_REMAINDER",
        "the parameters of a custom hash of 16 bits (Thrift)",
    ),
    word(
        "set_crc32_parameters",
        "CALCULATION POLYNOMIAL REMAINDER XOR REFLECT_DATA REFLECT_REMAINDER",
        "the parameters of a custom hash of 32 bits (Thrift)",
    ),
    word("set_toeplitz_hash_key", "CALCULATION KEY", "the key of a Toeplitz hash (Thrift)"),
    word("help", "[COMMAND]", "this list, or what a command takes"),
    word("exit", "", "end; so do quit, EOF, and the end of the input"),
];

/// What an older command means today: it names a table instead of the table's action profile.
pub(super) const BY_TABLE: &[(&str, &str)] = &[
    ("table_indirect_create_member", "act_prof_create_member"),
    ("table_indirect_modify_member", "act_prof_modify_member"),
    ("table_indirect_delete_member", "act_prof_delete_member"),
    ("table_indirect_create_group", "act_prof_create_group"),
    ("table_indirect_delete_group", "act_prof_delete_group"),
    ("table_indirect_add_member_to_group", "act_prof_add_member_to_group"),
    ("table_indirect_remove_member_from_group", "act_prof_remove_member_from_group"),
    ("table_dump_member", "act_prof_dump_member"),
    ("table_dump_group", "act_prof_dump_group"),
];

/// The command of this name.
pub(super) fn find(name: &str) -> Option<&'static CommandWord> {
    WORDS.iter().find(|word| word.name == name)
}

/// Why there is no such command.
pub(super) fn missing() -> String {
    let names: Vec<_> = WORDS.iter().map(|word| word.name).collect();
    format!("there is no such command; there is {}", super::values::list(&names))
}

impl CommandWord {
    /// The command with what follows it.
    pub fn usage(&self) -> String {
        format!("{} {}", self.name, self.form).trim_end().to_owned()
    }
}
