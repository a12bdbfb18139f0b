//! The control packet (RFC 5880, section 4.1).

use std::fmt;
use std::time::Duration;

/// Bytes of a packet without authentication.
const LENGTH: usize = 24;
const VERSION: u8 = 1;

/// The state of a session (section 4.1, "Sta").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Held down by an operator. It says nothing about the way.
    AdminDown,
    /// Nothing is heard.
    Down,
    /// The other end is heard, and does not say that it hears us.
    Init,
    /// Both ends hear each other.
    Up,
}

/// Why a session last went down (section 4.1, "Diag").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Diagnostic {
    /// 0: it did not.
    None,
    /// 1: nothing was heard for the detection time.
    TimeExpired,
    /// 3: the other end said that it is down.
    NeighbourDown,
    /// 7: by an operator.
    AdminDown,
    /// Any other reason, by its number.
    Other(u8),
}

impl Diagnostic {
    fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::TimeExpired => 1,
            Self::NeighbourDown => 3,
            Self::AdminDown => 7,
            Self::Other(code) => code & 0x1f,
        }
    }

    fn from_code(code: u8) -> Self {
        match code {
            0 => Self::None,
            1 => Self::TimeExpired,
            3 => Self::NeighbourDown,
            7 => Self::AdminDown,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no reason given"),
            Self::TimeExpired => f.write_str("nothing heard in time"),
            Self::NeighbourDown => f.write_str("the other end says that it does not hear us"),
            Self::AdminDown => f.write_str("taken down by an operator"),
            Self::Other(code) => write!(f, "diagnostic {code}"),
        }
    }
}

/// A control packet, without what this implementation never uses: authentication, echo, demand mode and multipoint of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlPacket {
    /// Why the sender's session last went down.
    pub diagnostic: Diagnostic,
    /// The state of the sender's session.
    pub state: State,
    /// The sender wants its new pace confirmed, by a packet that is `last`.
    pub poll: bool,
    /// It is the answer to a poll.
    pub last: bool,
    /// The sender does not want to be told again and again that it is heard.
    pub demand: bool,
    /// After how many missing packets the sender is to be taken for gone.
    pub multiplier: u8,
    /// The sender's number of the session. Not 0.
    pub mine: u32,
    /// The receiver's number of it; 0 where the sender has not heard one.
    pub yours: u32,
    /// The fastest pace at which the sender would like to send.
    pub desired_min_tx: Duration,
    /// The fastest pace at which the sender can receive; zero if it wants none.
    pub required_min_rx: Duration,
}

/// Why a packet is discarded (section 6.8.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Shorter than it says, or than it must be.
    #[error("{0} bytes are no BFD packet")]
    Length(usize),
    /// Another version.
    #[error("version {0}, not {VERSION}")]
    Version(u8),
    /// It would never be missed.
    #[error("detection multiplier 0")]
    Multiplier,
    /// Not for a session between two.
    #[error("multipoint")]
    Multipoint,
    /// No number of the session.
    #[error("my discriminator is 0")]
    Mine,
    /// A session that is on its way up names both ends.
    #[error("your discriminator is 0 in state {0:?}")]
    Yours(State),
    /// It is authenticated, and we have agreed on nothing.
    #[error("authenticated, and no authentication is agreed on")]
    Authenticated,
}

impl ControlPacket {
    /// Reads a packet, and checks what can be checked without a session.
    ///
    /// # Errors
    /// What makes it none that counts.
    pub fn parse(bytes: &[u8]) -> Result<Self, PacketError> {
        let Some(packet) = bytes.first_chunk::<LENGTH>() else { return Err(PacketError::Length(bytes.len())) };
        let [first, flags, multiplier, length, ..] = *packet;
        if first >> 5 != VERSION {
            return Err(PacketError::Version(first >> 5));
        }
        let least = if flags & 0x04 == 0 { LENGTH } else { LENGTH + 2 };
        if usize::from(length) < least || usize::from(length) > bytes.len() {
            return Err(PacketError::Length(length.into()));
        }
        if multiplier == 0 {
            return Err(PacketError::Multiplier);
        }
        if flags & 0x01 != 0 {
            return Err(PacketError::Multipoint);
        }
        let word = |at: usize| u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]);
        let (mine, yours) = (word(4), word(8));
        if mine == 0 {
            return Err(PacketError::Mine);
        }
        let state = match flags >> 6 {
            0 => State::AdminDown,
            1 => State::Down,
            2 => State::Init,
            _ => State::Up,
        };
        if yours == 0 && matches!(state, State::Init | State::Up) {
            return Err(PacketError::Yours(state));
        }
        if flags & 0x04 != 0 {
            return Err(PacketError::Authenticated);
        }
        let micros = |at| Duration::from_micros(word(at).into());
        Ok(Self {
            diagnostic: Diagnostic::from_code(first & 0x1f),
            state,
            poll: flags & 0x20 != 0,
            last: flags & 0x10 != 0,
            demand: flags & 0x02 != 0,
            multiplier,
            mine,
            yours,
            desired_min_tx: micros(12),
            required_min_rx: micros(16),
        })
    }

    /// The packet's bytes.
    pub fn bytes(&self) -> [u8; LENGTH] {
        let state = match self.state {
            State::AdminDown => 0,
            State::Down => 1,
            State::Init => 2,
            State::Up => 3,
        };
        let flag = |set, bit: u8| if set { bit } else { 0 };
        let flags = state << 6 | flag(self.poll, 0x20) | flag(self.last, 0x10) | flag(self.demand, 0x02);
        let micros = |span: Duration| u32::try_from(span.as_micros()).unwrap_or(u32::MAX).to_be_bytes();
        let mut bytes = [0; LENGTH];
        bytes[..4].copy_from_slice(&[VERSION << 5 | self.diagnostic.code(), flags, self.multiplier, LENGTH as u8]);
        bytes[4..8].copy_from_slice(&self.mine.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.yours.to_be_bytes());
        bytes[12..16].copy_from_slice(&micros(self.desired_min_tx));
        bytes[16..20].copy_from_slice(&micros(self.required_min_rx));
        // No echo packets are taken: 20 to 24 stay zero.
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet() -> ControlPacket {
        ControlPacket {
            diagnostic: Diagnostic::TimeExpired,
            state: State::Up,
            poll: true,
            last: false,
            demand: false,
            multiplier: 3,
            mine: 0x0102_0304,
            yours: 0x0506_0708,
            desired_min_tx: Duration::from_millis(100),
            required_min_rx: Duration::from_millis(50),
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_standard() {
        let bytes = packet().bytes();
        let expected = [0x21, 0xe0, 3, 24, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0x86, 0xa0, 0, 0, 0xc3, 0x50, 0, 0, 0, 0];
        assert_eq!(bytes, expected);
        assert_eq!(ControlPacket::parse(&bytes), Ok(packet()));
    }

    #[test]
    fn what_the_standard_discards_is_discarded() {
        let spoiled = |spoil: &dyn Fn(&mut [u8; 24])| {
            let mut bytes = packet().bytes();
            spoil(&mut bytes);
            ControlPacket::parse(&bytes).unwrap_err()
        };
        assert_eq!(spoiled(&|bytes| bytes[0] = 0x40), PacketError::Version(2));
        assert_eq!(spoiled(&|bytes| bytes[3] = 23), PacketError::Length(23));
        assert_eq!(spoiled(&|bytes| bytes[3] = 25), PacketError::Length(25), "more than there is");
        assert_eq!(spoiled(&|bytes| bytes[2] = 0), PacketError::Multiplier);
        assert_eq!(spoiled(&|bytes| bytes[1] |= 1), PacketError::Multipoint);
        assert_eq!(spoiled(&|bytes| bytes[4..8].fill(0)), PacketError::Mine);
        assert_eq!(spoiled(&|bytes| bytes[8..12].fill(0)), PacketError::Yours(State::Up));
        assert_eq!(ControlPacket::parse(&packet().bytes()[..23]), Err(PacketError::Length(23)));
        let mut authenticated = packet().bytes().to_vec();
        authenticated.extend([0; 2]);
        (authenticated[1], authenticated[3]) = (authenticated[1] | 4, 26);
        assert_eq!(ControlPacket::parse(&authenticated), Err(PacketError::Authenticated));
        // A session that is down need not know the other end's number.
        let down = ControlPacket { state: State::Down, yours: 0, ..packet() };
        assert_eq!(ControlPacket::parse(&down.bytes()), Ok(down));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(packet) = ControlPacket::parse(&bytes) {
                prop_assert_eq!(ControlPacket::parse(&packet.bytes()), Ok(packet));
            }
        }
    }
}
