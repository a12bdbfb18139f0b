//! Members and groups of action profiles (specification 9.2).

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::action_profile_group::member::WatchKind;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_switch::{ActionCall, ActionGroup, GroupMember};

use super::action::{decode_call, encode_call, old_watch, port_number, weight};
use super::{Operation, Target};
use crate::bytes::canonical;
use crate::fault::{Fault, Outcome, choices};
use crate::schema::{Profile, Schema};

impl Target {
    pub(super) fn write_member(&mut self, operation: Operation, member: &v1::ActionProfileMember) -> Outcome {
        let profile = self.schema.profile(member.action_profile_id)?;
        let within = |fault: Fault| fault.within(place(profile));
        if operation == Operation::Delete {
            let deleted = self.switch.delete_member(profile.engine, member.member_id);
            return deleted.map_err(|error| within(error.into()));
        }
        let call = decode_member(&self.schema, profile, member.action.as_ref()).map_err(within)?;
        match operation {
            Operation::Insert => self.switch.insert_member(profile.engine, member.member_id, &call),
            Operation::Modify | Operation::Delete => self.switch.modify_member(profile.engine, member.member_id, &call),
        }
        .map_err(|error| within(error.into()))
    }

    pub(super) fn write_group(&mut self, operation: Operation, group: &v1::ActionProfileGroup) -> Outcome {
        let profile = self.schema.profile(group.action_profile_id)?;
        let within = |fault: Fault| fault.within(place(profile));
        if !profile.with_selector {
            return Err(within(Fault::invalid("it has no selector, so that it has no groups")));
        }
        if operation == Operation::Delete {
            let deleted = self.switch.delete_group(profile.engine, group.group_id);
            return deleted.map_err(|error| within(error.into()));
        }
        let decoded = decode_group(profile, group).map_err(within)?;
        match operation {
            Operation::Insert => self.switch.insert_group(profile.engine, group.group_id, &decoded),
            Operation::Modify | Operation::Delete => self.switch.modify_group(profile.engine, group.group_id, &decoded),
        }
        .map_err(|error| within(error.into()))
    }

    pub(super) fn read_members(&self, wanted: &v1::ActionProfileMember) -> Outcome<Vec<Kind>> {
        let mut found = Vec::new();
        for (id, profile) in self.selected(wanted.action_profile_id)? {
            for (member_id, call) in self.switch.members(profile.engine)? {
                if wanted.member_id == 0 || wanted.member_id == member_id {
                    found.push(Kind::ActionProfileMember(v1::ActionProfileMember {
                        action_profile_id: id,
                        member_id,
                        action: Some(encode_call(&self.schema, &call)),
                    }));
                }
            }
        }
        Ok(found)
    }

    pub(super) fn read_groups(&self, wanted: &v1::ActionProfileGroup) -> Outcome<Vec<Kind>> {
        let mut found = Vec::new();
        for (id, profile) in self.selected(wanted.action_profile_id)? {
            for (group_id, group) in self.switch.groups(profile.engine)? {
                if wanted.group_id == 0 || wanted.group_id == group_id {
                    found.push(Kind::ActionProfileGroup(encode_group(id, group_id, &group)));
                }
            }
        }
        Ok(found)
    }

    /// The profiles that a read means: one, or with id 0 all.
    fn selected(&self, id: u32) -> Outcome<Vec<(u32, &Profile)>> {
        if id == 0 {
            return Ok(self.schema.profiles.iter().map(|(id, profile)| (*id, profile)).collect());
        }
        Ok(vec![(id, self.schema.profile(id)?)])
    }
}

fn place(profile: &Profile) -> String {
    format!("action profile {}", profile.name)
}

fn decode_member(schema: &Schema, profile: &Profile, action: Option<&v1::Action>) -> Outcome<ActionCall> {
    let Some(action) = action else {
        return Err(Fault::invalid("the member has no action"));
    };
    let Some(engine) = profile.actions.get(&action.action_id) else {
        let all = profile.actions.keys().filter_map(|id| Some((id, schema.actions.get(id)?)));
        let all = choices(all.map(|(id, action)| format!("{} ({id:#010x})", action.name)));
        let fault = format!("action {:#010x} is not one of the profile's, which are {all}", action.action_id);
        return Err(Fault::invalid(fault));
    };
    decode_call(schema, action, *engine)
}

#[allow(deprecated)]
fn decode_group(profile: &Profile, group: &v1::ActionProfileGroup) -> Outcome<ActionGroup> {
    let Ok(max_size) = u32::try_from(group.max_size) else {
        return Err(Fault::invalid(format!("max_size {} of the group is negative", group.max_size)));
    };
    if profile.max_group_size != 0 && max_size > profile.max_group_size {
        return Err(Fault::invalid(format!(
            "max_size {max_size} of the group exceeds {}, the profile's limit",
            profile.max_group_size
        )));
    }
    let mut members: Vec<GroupMember> = Vec::new();
    for member in &group.members {
        if members.iter().any(|other| other.member == member.member_id) {
            return Err(Fault::invalid(format!("member {} is given twice", member.member_id)));
        }
        members.push(GroupMember {
            member: member.member_id,
            weight: weight(member.weight)?,
            watch_port: match &member.watch_kind {
                Some(WatchKind::WatchPort(port)) => Some(port_number(port)?),
                Some(WatchKind::Watch(_)) => return Err(old_watch()),
                None => None,
            },
        });
    }
    Ok(ActionGroup { members, max_size })
}

fn encode_group(action_profile_id: u32, group_id: u32, group: &ActionGroup) -> v1::ActionProfileGroup {
    let members = group.members.iter().map(|member| v1::action_profile_group::Member {
        member_id: member.member,
        weight: i32::try_from(member.weight).unwrap_or(i32::MAX),
        watch_kind: member.watch_port.map(|port| WatchKind::WatchPort(canonical(&port.to_be_bytes()))),
    });
    v1::ActionProfileGroup {
        action_profile_id,
        group_id,
        members: members.collect(),
        max_size: i32::try_from(group.max_size).unwrap_or(i32::MAX),
    }
}
