//! Weights of members and sizes of groups, the same for groups and one-shot sets (specification 6.4.3, 9.2.2, 9.2.3).

use std::collections::BTreeMap;

use vouch_p4runtime::p4info::GroupSize;

use crate::dialect::Dialect;
use crate::fault::{Fault, Outcome};
use crate::schema::Profile;

/// How each selector is programmed: it takes members and groups, or sets of actions within entries, but not both.
#[derive(Debug, Default)]
pub(crate) struct Styles(BTreeMap<u32, Style>);

#[derive(Debug, Default)]
struct Style {
    members: u64,
    groups: u64,
    one_shots: u64,
}

/// What a profile is programmed with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Member,
    Group,
    OneShot,
}

impl Styles {
    /// Whether one more of these goes with what is there.
    pub(crate) fn check(&self, profile: u32, part: Part) -> Outcome {
        let Some(style) = self.0.get(&profile) else { return Ok(()) };
        match part {
            Part::Member | Part::Group if style.one_shots > 0 => Err(Fault::invalid(format!(
                "{} entries have action sets of their own: an action profile takes those, or members and groups, but not both",
                style.one_shots
            ))),
            Part::OneShot if style.members + style.groups > 0 => Err(Fault::invalid(format!(
                "the action profile has {} members and {} groups: it takes those, or action sets in entries, but not both",
                style.members, style.groups
            ))),
            Part::Member | Part::Group | Part::OneShot => Ok(()),
        }
    }

    /// There is one more of these.
    pub(crate) fn add(&mut self, profile: u32, part: Part) {
        *self.count(profile, part) += 1;
    }

    /// There is one less of these.
    pub(crate) fn remove(&mut self, profile: u32, part: Part) {
        let count = self.count(profile, part);
        *count = count.saturating_sub(1);
    }

    fn count(&mut self, profile: u32, part: Part) -> &mut u64 {
        let style = self.0.entry(profile).or_default();
        match part {
            Part::Member => &mut style.members,
            Part::Group => &mut style.groups,
            Part::OneShot => &mut style.one_shots,
        }
    }
}

impl Profile {
    /// The weight as the engine takes it.
    pub(crate) fn weight(&self, given: i32, size: GroupSize) -> Outcome<u32> {
        if self.info.weights_disallowed {
            return match given {
                0 => Ok(1),
                _ => Err(Fault::invalid(format!(
                    "weight {given} is not valid: the switch chooses the weights of action profile {}, leave it 0",
                    self.info.name
                ))),
            };
        }
        let weight = match u32::try_from(given) {
            Ok(weight @ 1..) => weight,
            Ok(0) | Err(_) => {
                return Err(Fault::invalid(format!("weight {given} is not valid: it must be at least 1")));
            }
        };
        match size {
            GroupSize::Members { max_weight } if max_weight > 0 && weight > max_weight => Err(Fault::invalid(format!(
                "weight {given} exceeds {max_weight}, the most that action profile {} takes",
                self.info.name
            ))),
            GroupSize::Members { .. } | GroupSize::Weights => Ok(weight),
        }
    }

    /// The weight as it was written.
    pub(crate) fn shown_weight(&self, weight: u32) -> i32 {
        if self.info.weights_disallowed { 0 } else { i32::try_from(weight).unwrap_or(i32::MAX) }
    }

    /// Whether a group of this `max_size` may be.
    pub(crate) fn check_max_size(&self, max_size: i32, dialect: Dialect) -> Outcome<u32> {
        let limit = self.info.max_group_size;
        match u32::try_from(max_size) {
            Err(_) => Err(Fault::invalid(format!("max_size {max_size} of the group is negative"))),
            Ok(size) if limit != 0 && size > limit => {
                Err(Fault::invalid(format!("max_size {max_size} of the group exceeds {limit}, the profile's limit")))
            }
            Ok(0) if limit != 0 && !dialect.counts_members() => Err(Fault::invalid(format!(
                "max_size of the group is missing: the profile has a limit, so that it must be from 1 to {limit}"
            ))),
            Ok(size) => Ok(size),
        }
    }

    /// Whether members of these weights fit a group of `max_size`, 0 being the profile's own limit; `size` says what counts.
    pub(crate) fn check_room(&self, weights: &[u32], max_size: u32, size: GroupSize, dialect: Dialect) -> Outcome {
        let limit = if max_size == 0 { self.info.max_group_size } else { max_size };
        if limit == 0 {
            return Ok(());
        }
        let (size, what) = match size {
            GroupSize::Weights if !dialect.counts_members() => {
                (weights.iter().map(|weight| u64::from(*weight)).sum(), "weights add up to")
            }
            GroupSize::Weights | GroupSize::Members { .. } => (weights.len() as u64, "members are"),
        };
        if size > u64::from(limit) {
            return Err(Fault::resource_exhausted(format!("the {what} {size}, and {limit} is the most")));
        }
        Ok(())
    }
}
