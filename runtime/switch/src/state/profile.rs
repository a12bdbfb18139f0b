//! Action profiles: members that entries share, and groups from which a selector chooses.

use crate::error::ControlError;
use crate::ids::ProfileId;
use crate::program::Program;
use crate::state::by_id::ById;
use crate::state::entry::{self, Call};
use crate::types::{ActionCall, ActionGroup, ActionGroupId, MemberId};

/// The members and groups of one action profile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    members: ById<Member>,
    groups: ById<Group>,
}

#[derive(Clone, Debug)]
struct Member {
    call: Call,
    users: u64,
}

#[derive(Clone, Debug)]
struct Group {
    written: ActionGroup,
    users: u64,
}

impl Profile {
    pub(crate) fn insert_member(
        &mut self,
        program: &Program,
        profile: ProfileId,
        id: MemberId,
        call: &ActionCall,
    ) -> Result<(), ControlError> {
        if self.members.contains(id) {
            return Err(ControlError::MemberExists(id));
        }
        let size = program.profiles[profile.index()].size;
        if self.members.len() as u64 >= size {
            return Err(ControlError::ProfileFull { size });
        }
        let call = check(program, profile, call)?;
        self.members.insert(id, Member { call, users: 0 });
        Ok(())
    }

    pub(crate) fn modify_member(
        &mut self,
        program: &Program,
        profile: ProfileId,
        id: MemberId,
        call: &ActionCall,
    ) -> Result<(), ControlError> {
        let member = self.members.get_mut(id).ok_or(ControlError::MemberNotFound(id))?;
        member.call = check(program, profile, call)?;
        Ok(())
    }

    pub(crate) fn delete_member(&mut self, id: MemberId) -> Result<(), ControlError> {
        let member = self.members.get(id).ok_or(ControlError::MemberNotFound(id))?;
        if member.users > 0 {
            return Err(ControlError::MemberInUse(id));
        }
        self.members.remove(id);
        Ok(())
    }

    pub(crate) fn written_member(&self, program: &Program, id: MemberId) -> Option<ActionCall> {
        self.members.get(id).map(|member| member.call.written(program))
    }

    pub(crate) fn members(&self, program: &Program) -> Vec<(MemberId, ActionCall)> {
        self.members.sorted().map(|(id, member)| (id, member.call.written(program))).collect()
    }

    pub(crate) fn insert_group(
        &mut self,
        program: &Program,
        profile: ProfileId,
        id: ActionGroupId,
        group: &ActionGroup,
    ) -> Result<(), ControlError> {
        let info = &program.profiles[profile.index()];
        if !info.selector {
            return Err(ControlError::NoSelector);
        }
        if self.groups.contains(id) {
            return Err(ControlError::GroupExists(id));
        }
        if self.groups.len() as u64 >= info.size {
            return Err(ControlError::ProfileFull { size: info.size });
        }
        self.check_group(group)?;
        self.hold(group, true);
        self.groups.insert(id, Group { written: sorted(group), users: 0 });
        Ok(())
    }

    pub(crate) fn modify_group(&mut self, id: ActionGroupId, group: &ActionGroup) -> Result<(), ControlError> {
        let old = self.groups.get(id).ok_or(ControlError::GroupNotFound(id))?.written.clone();
        self.check_group(group)?;
        self.hold(&old, false);
        self.hold(group, true);
        if let Some(slot) = self.groups.get_mut(id) {
            slot.written = sorted(group);
        }
        Ok(())
    }

    pub(crate) fn delete_group(&mut self, id: ActionGroupId) -> Result<(), ControlError> {
        let group = self.groups.get(id).ok_or(ControlError::GroupNotFound(id))?;
        if group.users > 0 {
            return Err(ControlError::GroupInUse(id));
        }
        let written = group.written.clone();
        self.groups.remove(id);
        self.hold(&written, false);
        Ok(())
    }

    pub(crate) fn written_group(&self, id: ActionGroupId) -> Option<ActionGroup> {
        self.groups.get(id).map(|group| group.written.clone())
    }

    pub(crate) fn groups(&self) -> Vec<(ActionGroupId, ActionGroup)> {
        self.groups.sorted().map(|(id, group)| (id, group.written.clone())).collect()
    }

    /// Counts an entry's use of a member in or out.
    pub(crate) fn use_member(&mut self, id: MemberId, on: bool) -> Result<(), ControlError> {
        let member = self.members.get_mut(id).ok_or(ControlError::MemberNotFound(id))?;
        member.users = if on { member.users + 1 } else { member.users.saturating_sub(1) };
        Ok(())
    }

    /// Counts an entry's use of a group in or out.
    pub(crate) fn use_group(&mut self, id: ActionGroupId, on: bool) -> Result<(), ControlError> {
        let group = self.groups.get_mut(id).ok_or(ControlError::GroupNotFound(id))?;
        group.users = if on { group.users + 1 } else { group.users.saturating_sub(1) };
        Ok(())
    }

    /// What a member runs.
    pub(crate) fn member(&self, id: MemberId) -> Option<&Call> {
        self.members.get(id).map(|member| &member.call)
    }

    /// The member of the group that a number drawn chooses: shares by weight over members in ascending order, without those
    /// whose watched port is down.
    pub(crate) fn choose(&self, id: ActionGroupId, down: &[u16], draw: impl FnOnce() -> u64) -> Option<&Call> {
        let members = &self.groups.get(id)?.written.members;
        let up = || {
            let alive = |port: &Option<u16>| port.is_none_or(|port| !down.contains(&port));
            members.iter().filter(move |member| alive(&member.watch_port))
        };
        let share = pick(up().map(|member| member.weight), draw)?;
        self.member(up().nth(share)?.member)
    }

    fn check_group(&self, group: &ActionGroup) -> Result<(), ControlError> {
        if group.max_size > 0 && group.members.len() as u64 > u64::from(group.max_size) {
            return Err(ControlError::ProfileFull { size: u64::from(group.max_size) });
        }
        for member in &group.members {
            if !self.members.contains(member.member) {
                return Err(ControlError::MemberNotFound(member.member));
            }
            if member.weight < 1 {
                return Err(ControlError::Weight { member: member.member });
            }
        }
        Ok(())
    }

    fn hold(&mut self, group: &ActionGroup, on: bool) {
        for member in &group.members {
            if let Some(member) = self.members.get_mut(member.member) {
                member.users = if on { member.users + 1 } else { member.users.saturating_sub(1) };
            }
        }
    }
}

/// Position of the share that a number drawn falls in.
pub(crate) fn pick(weights: impl Iterator<Item = u32> + Clone, draw: impl FnOnce() -> u64) -> Option<usize> {
    let total: u64 = weights.clone().map(u64::from).sum();
    if total == 0 {
        return None;
    }
    let mut left = draw() % total;
    for (position, weight) in weights.enumerate() {
        match left.checked_sub(u64::from(weight)) {
            Some(rest) => left = rest,
            None => return Some(position),
        }
    }
    None
}

fn sorted(group: &ActionGroup) -> ActionGroup {
    let mut group = group.clone();
    group.members.sort_by_key(|member| member.member);
    group
}

fn check(program: &Program, profile: ProfileId, call: &ActionCall) -> Result<Call, ControlError> {
    let mut users = program.tables.iter().filter(|table| table.profile == Some(profile));
    entry::call(program, |action| users.any(|table| table.actions.contains(&action)), call)
}
