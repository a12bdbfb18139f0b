//! What an STF test says, statement by statement.

use std::fmt;

use num_bigint::BigUint;

/// A statement and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Its line, from 1.
    pub line: usize,
    /// What it says.
    pub command: Command,
}

/// What a statement asks for. Names are as the test has them; [`Rules`](super::Rules) finds out what they mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `add TABLE [PRIORITY] KEY:VALUE... ACTION(PARAM:VALUE, ...)[*WEIGHT][@PORT]... [~MILLISECONDS] [= LABEL]`
    Add {
        /// The table.
        table: String,
        /// The highest number wins.
        priority: Option<u32>,
        /// Key fields that are given; the others are 0, or match everything where their kind can.
        keys: Vec<(String, Key)>,
        /// What a hit does. Only where a selector chooses there can be several.
        calls: Vec<Share>,
        /// How long it may not be hit until it is idle, in milliseconds.
        timeout: Option<u32>,
        /// A name for the entry, by which `check_counter`, `meter_set_rates` and `idle` ask for it.
        label: Option<String>,
    },
    /// `setdefault TABLE ACTION(PARAM:VALUE, ...)`
    SetDefault {
        /// The table.
        table: String,
        /// What a miss does.
        call: Call,
    },
    /// `remove all`
    RemoveAll,
    /// `packet PORT DATA`
    Packet {
        /// Where it goes in.
        port: u16,
        /// The frame.
        frame: Vec<u8>,
    },
    /// `expect PORT [DATA][$]`
    Expect {
        /// Where a frame has to come out.
        port: u16,
        /// What it has to look like.
        pattern: Pattern,
    },
    /// `no_packet`
    NoPacket,
    /// `wait`
    Wait,
    /// `check_counter COUNTER(INDEX or $LABEL) [packets|bytes OPERATOR NUMBER]`
    CheckCounter {
        /// The counter, or the table where a label is given.
        counter: String,
        /// Which cell.
        cell: Cell,
        /// What its value has to be; without it, that it can be read at all.
        check: Option<Check>,
    },
    /// `counter_read COUNTER INDEX`
    CounterRead {
        /// The counter.
        counter: String,
        /// Its cell.
        index: u64,
    },
    /// `counter_write COUNTER INDEX PACKETS BYTES`
    CounterWrite {
        /// The counter.
        counter: String,
        /// Its cell.
        index: u64,
        /// Packets from now on.
        packets: u64,
        /// Bytes from now on.
        bytes: u64,
    },
    /// `register_read REGISTER INDEX`
    RegisterRead {
        /// The register.
        register: String,
        /// Its cell.
        index: u64,
    },
    /// `register_write REGISTER INDEX VALUE`
    RegisterWrite {
        /// The register.
        register: String,
        /// Its cell.
        index: u64,
        /// What it holds from now on.
        value: BigUint,
    },
    /// `register_reset REGISTER`: every cell becomes 0
    RegisterReset {
        /// The register.
        register: String,
    },
    /// `meter_get_rates METER INDEX`
    MeterRead {
        /// The meter.
        meter: String,
        /// Its cell.
        index: u64,
    },
    /// `value_set SET VALUE...`: the members that a parser's value set has from now on
    ValueSet {
        /// The value set.
        set: String,
        /// Its members.
        members: Vec<BigUint>,
    },
    /// `digest DIGEST VALUE...`: the next digest of this name has these values. One that nobody asks for is no failure.
    Digest {
        /// The digest.
        digest: String,
        /// A value for each field.
        values: Vec<BigUint>,
    },
    /// `meter_set_rates TABLE($LABEL) RATE:BURST RATE:BURST`
    EntryMeterWrite {
        /// The label of the entry.
        label: String,
        /// Committed and peak rate.
        rates: [Rate; 2],
    },
    /// `meter_set_rates METER INDEX RATE:BURST RATE:BURST`, `meter_array_set_rates METER RATE:BURST RATE:BURST`
    MeterWrite {
        /// The meter.
        meter: String,
        /// Its cell; `None` is all of them.
        index: Option<u64>,
        /// Committed and peak rate.
        rates: [Rate; 2],
    },
    /// `idle $LABEL`: the switch tells that the entry has not been hit for its time. What nobody asks for is no failure.
    Idle {
        /// The label of the entry.
        label: String,
    },
    /// `port_down PORT`, `port_up PORT`
    SetPort {
        /// The port.
        port: u16,
        /// Whether its cable is in.
        up: bool,
    },
    /// `mirroring_add SESSION PORT [LENGTH]`, `mirroring_add_mc SESSION GROUP [LENGTH]`, `mirroring_delete SESSION`
    Mirror {
        /// The clone session.
        session: u16,
        /// Where its copies go from now on; `None` takes the session away.
        to: Option<MirrorTo>,
        /// How many bytes of a copy are sent at most.
        length: Option<u16>,
    },
    /// `mirroring_get SESSION`
    MirrorRead {
        /// The clone session.
        session: u16,
    },
    /// `mc_mgrp_create GROUP`
    GroupCreate {
        /// The multicast group.
        group: u32,
    },
    /// `mc_node_create INSTANCE PORT...`: nodes are numbered from 0 in the order of creation
    NodeCreate {
        /// `egress_rid` of its copies.
        instance: u16,
        /// The ports of its copies.
        ports: Vec<u16>,
    },
    /// `mc_node_update NODE PORT...`
    NodeUpdate {
        /// Number of the node.
        node: usize,
        /// The ports of its copies.
        ports: Vec<u16>,
    },
    /// `mc_node_associate GROUP NODE`
    NodeAssociate {
        /// The multicast group.
        group: u32,
        /// Number of the node.
        node: usize,
    },
}

/// An action with its parameters by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The action.
    pub action: String,
    /// Its parameters.
    pub params: Vec<(String, BigUint)>,
}

/// An action among several that a selector chooses from.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// The action.
    pub call: Call,
    /// How often it is chosen, compared with the others.
    pub weight: u32,
    /// It is not chosen while this port is down.
    pub watch: Option<u16>,
}

/// The value of a key field.
#[derive(Clone, Debug, PartialEq)]
pub enum Key {
    /// `VALUE`, some of whose bits may not matter.
    Value(Bits),
    /// `VALUE/LENGTH`
    Prefix(Bits, u32),
    /// `LOW->HIGH`, both included.
    Range(BigUint, BigUint),
}

/// A number with bits that do not matter: `0x0a**`, `0b1*0`, `10`.
#[derive(Clone, Debug, PartialEq)]
pub struct Bits {
    /// The number; 0 where a bit does not matter.
    pub value: BigUint,
    /// Ones where a bit does not matter.
    pub wild: BigUint,
    /// How many bits were written down: 4 for each digit of hexadecimal, 1 for each of binary. 0 for decimal.
    pub written: u32,
}

impl Bits {
    /// Whether some bits do not matter.
    pub fn has_wild(&self) -> bool {
        self.wild != BigUint::ZERO
    }
}

/// What a frame has to look like, digit by digit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    /// Hexadecimal digits; `None` is any.
    pub nibbles: Vec<Option<u8>>,
    /// The frame ends where the digits do (`$`); otherwise it may go on.
    pub exact: bool,
}

/// A cell of a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// By its index.
    Index(u64),
    /// That of the entry with this label.
    Label(String),
}

/// A condition on a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// Packets or bytes.
    pub unit: Unit,
    /// How to compare.
    pub comparison: Comparison,
    /// With what.
    pub number: u64,
}

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Packets.
    Packets,
    /// Bytes.
    Bytes,
}

/// A comparison of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Comparison {
    /// Whether it holds.
    pub fn holds(self, left: u64, right: u64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Greater => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

/// A rate of a meter with its burst.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Units per microsecond, as BMv2's command line has it.
    pub per_microsecond: f64,
    /// Units.
    pub burst: u64,
}

/// Where the copies of a clone session go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MirrorTo {
    /// To a port.
    Port(u16),
    /// To a multicast group.
    Group(u32),
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Packets => "packets",
            Unit::Bytes => "bytes",
        };
        let comparison = match self.comparison {
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::Greater => ">",
            Comparison::AtLeast => ">=",
        };
        write!(f, "{unit} {comparison} {}", self.number)
    }
}
