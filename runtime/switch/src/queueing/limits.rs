//! How deep queues are and how fast they are emptied, and who says so.

use std::collections::BTreeMap;

use super::MAX_PRIORITIES;
use crate::ids::Port;

/// The bounds of one egress queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Most packets that wait; more are dropped. With 0 nothing leaves by this port with this priority.
    pub depth: u32,
    /// Most packets that leave in a second; 0 is no limit.
    pub rate: u64,
}

impl Default for QueueLimits {
    /// Those of BMv2: room for 64 packets, which leave as fast as the port takes them.
    fn default() -> Self {
        Self { depth: 64, rate: 0 }
    }
}

/// Some of a switch's queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueChoice {
    /// All of them, those of ports that are plugged in later included.
    All,
    /// Those of a port.
    Port(Port),
    /// That of a port and priority.
    Queue(Port, u32),
}

/// The bounds of all queues of a switch. What is said last counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    priorities: u32,
    all: QueueLimits,
    others: BTreeMap<(Port, u32), QueueLimits>,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self::new(1)
    }
}

impl QueueSettings {
    /// Queues of so many priorities for each port, at most [`MAX_PRIORITIES`], with bounds as in BMv2.
    #[must_use]
    pub fn new(priorities: u32) -> Self {
        Self { priorities: priorities.min(MAX_PRIORITIES), all: QueueLimits::default(), others: BTreeMap::new() }
    }

    /// Priorities are the numbers below this one.
    #[must_use]
    pub fn priorities(&self) -> u32 {
        self.priorities
    }

    /// The bounds of one queue.
    #[must_use]
    pub fn of(&self, port: Port, priority: u32) -> QueueLimits {
        self.others.get(&(port, priority)).copied().unwrap_or(self.all)
    }

    /// Changes the bounds of queues; false, and nothing is changed, if there is no such priority.
    pub fn change(&mut self, which: QueueChoice, change: impl Fn(&mut QueueLimits)) -> bool {
        let (port, priorities) = match which {
            QueueChoice::All => {
                change(&mut self.all);
                self.others.values_mut().for_each(change);
                return true;
            }
            QueueChoice::Port(port) => (port, 0..self.priorities),
            QueueChoice::Queue(_, priority) if priority >= self.priorities => return false,
            QueueChoice::Queue(port, priority) => (port, priority..priority + 1),
        };
        for priority in priorities {
            let mut limits = self.of(port, priority);
            change(&mut limits);
            self.others.insert((port, priority), limits);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_last_counts() {
        let mut settings = QueueSettings::new(2);
        assert!(settings.change(QueueChoice::Port(3), |limits| limits.rate = 10));
        assert!(settings.change(QueueChoice::Queue(3, 1), |limits| limits.rate = 20));
        assert!(settings.change(QueueChoice::All, |limits| limits.depth = 5));
        assert!(!settings.change(QueueChoice::Queue(3, 2), |limits| limits.rate = 30));
        assert_eq!(settings.of(3, 0), QueueLimits { depth: 5, rate: 10 });
        assert_eq!(settings.of(3, 1), QueueLimits { depth: 5, rate: 20 });
        assert_eq!(settings.of(4, 1), QueueLimits { depth: 5, rate: 0 });
        assert!(settings.change(QueueChoice::All, |limits| limits.rate = 0));
        assert_eq!(settings.of(3, 1), QueueLimits { depth: 5, rate: 0 });
    }
}
