//! Members and groups of action profiles (specification 9.2).

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::action_profile_group::member::WatchKind;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_switch::{ActionCall, ActionGroup, GroupMember};

use super::action::{decode_call, encode_call, shown_watch_number, watch_number, watch_port};
use super::weight::Part;
use super::{Operation, Target};
use crate::dialect::Dialect;
use crate::fault::{Fault, Outcome, choices};
use crate::schema::{Profile, Schema};
use crate::translation::port_bytes;

impl Target {
    pub(super) fn write_member(&mut self, operation: Operation, member: &v1::ActionProfileMember) -> Outcome {
        let profile = self.schema.profile(member.action_profile_id)?;
        let within = |fault: Fault| fault.within(place(profile));
        let id = member.action_profile_id;
        if operation == Operation::Delete {
            self.switch.delete_member(profile.engine, member.member_id).map_err(|error| within(error.into()))?;
            self.styles.remove(id, Part::Member);
            return Ok(());
        }
        if member.member_id == 0 {
            return Err(within(Fault::invalid("0 is not a member: it means all of them where they are read")));
        }
        let call = decode_member(&self.schema, profile, member.action.as_ref()).map_err(within)?;
        match operation {
            Operation::Insert => {
                self.styles.check(id, Part::Member).map_err(within)?;
                let inserted = self.switch.insert_member(profile.engine, member.member_id, &call);
                inserted.map_err(|error| within(error.into()))?;
                self.styles.add(id, Part::Member);
                Ok(())
            }
            Operation::Modify | Operation::Delete => {
                let modified = self.switch.modify_member(profile.engine, member.member_id, &call);
                modified.map_err(|error| within(error.into()))
            }
        }
    }

    pub(super) fn write_group(&mut self, operation: Operation, group: &v1::ActionProfileGroup) -> Outcome {
        let profile = self.schema.profile(group.action_profile_id)?;
        let within = |fault: Fault| fault.within(place(profile));
        if !profile.info.with_selector {
            return Err(within(Fault::invalid("it has no selector, so that it has no groups")));
        }
        let id = group.action_profile_id;
        if operation == Operation::Delete {
            self.switch.delete_group(profile.engine, group.group_id).map_err(|error| within(error.into()))?;
            self.styles.remove(id, Part::Group);
            self.numeric_watches.remove(&(id, group.group_id));
            return Ok(());
        }
        if group.group_id == 0 {
            return Err(within(Fault::invalid("0 is not a group: it means all of them where they are read")));
        }
        let decoded = decode_group(&self.schema, profile, group, self.dialect).map_err(within)?;
        match operation {
            Operation::Insert => {
                self.styles.check(id, Part::Group).map_err(within)?;
                let inserted = self.switch.insert_group(profile.engine, group.group_id, &decoded);
                inserted.map_err(|error| within(error.into()))?;
                self.styles.add(id, Part::Group);
            }
            Operation::Modify | Operation::Delete => {
                let present = self.switch.group(profile.engine, group.group_id);
                let present = present.map_err(|error| within(error.into()))?;
                if present.max_size != decoded.max_size && !self.dialect.counts_members() {
                    return Err(within(Fault::invalid(format!(
                        "max_size {} of group {} cannot change: it was {} when the group was inserted",
                        decoded.max_size, group.group_id, present.max_size
                    ))));
                }
                let modified = self.switch.modify_group(profile.engine, group.group_id, &decoded);
                modified.map_err(|error| within(error.into()))?;
            }
        }
        self.note_watches(group);
        Ok(())
    }

    pub(super) fn read_members(&self, wanted: &v1::ActionProfileMember) -> Outcome<Vec<Kind>> {
        let mut found = Vec::new();
        for (id, profile) in self.selected(wanted.action_profile_id)? {
            for (member_id, call) in self.switch.members(profile.engine)? {
                if wanted.member_id == 0 || wanted.member_id == member_id {
                    found.push(Kind::ActionProfileMember(encode_member(&self.schema, id, member_id, &call)));
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
                    found.push(Kind::ActionProfileGroup(self.show_group(profile, id, group_id, &group)));
                }
            }
        }
        Ok(found)
    }

    /// One member as it was written.
    pub(super) fn stored_member(&self, key: &v1::ActionProfileMember) -> Outcome<v1::ActionProfileMember> {
        let profile = self.schema.profile(key.action_profile_id)?;
        let call = self.switch.member(profile.engine, key.member_id)?;
        Ok(encode_member(&self.schema, key.action_profile_id, key.member_id, &call))
    }

    /// One group as it was written.
    pub(super) fn stored_group(&self, key: &v1::ActionProfileGroup) -> Outcome<v1::ActionProfileGroup> {
        let profile = self.schema.profile(key.action_profile_id)?;
        let group = self.switch.group(profile.engine, key.group_id)?;
        Ok(self.show_group(profile, key.action_profile_id, key.group_id, &group))
    }

    #[allow(deprecated)]
    fn show_group(
        &self,
        profile: &Profile,
        action_profile_id: u32,
        group_id: u32,
        group: &ActionGroup,
    ) -> v1::ActionProfileGroup {
        let by_number = self.numeric_watches.contains(&(action_profile_id, group_id));
        let watch = |port| match by_number {
            true => WatchKind::Watch(shown_watch_number(&self.schema, port)),
            false => WatchKind::WatchPort(port_bytes(self.schema.ports.as_deref(), port)),
        };
        let members = group.members.iter().map(|member| v1::action_profile_group::Member {
            member_id: member.member,
            weight: profile.shown_weight(member.weight),
            watch_kind: member.watch_port.map(watch),
        });
        v1::ActionProfileGroup {
            action_profile_id,
            group_id,
            members: members.collect(),
            max_size: i32::try_from(group.max_size).unwrap_or(i32::MAX),
        }
    }

    /// Remember how a group names the ports that it watches.
    #[allow(deprecated)]
    fn note_watches(&mut self, group: &v1::ActionProfileGroup) {
        let key = (group.action_profile_id, group.group_id);
        if group.members.iter().any(|member| matches!(member.watch_kind, Some(WatchKind::Watch(_)))) {
            self.numeric_watches.insert(key);
        } else {
            self.numeric_watches.remove(&key);
        }
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
    format!("action profile {}", profile.info.name)
}

fn decode_member(schema: &Schema, profile: &Profile, action: Option<&v1::Action>) -> Outcome<ActionCall> {
    let Some(action) = action else {
        return Err(Fault::invalid("the member has no action"));
    };
    let Some(engine) = profile.actions.get(&action.action_id) else {
        let all = profile.actions.keys().filter_map(|id| Some((id, schema.actions.get(id)?)));
        let all = choices(all.map(|(id, action)| format!("{} ({id:#010x})", action.info.name)));
        let fault = format!("action {:#010x} is not one of the profile's, which are {all}", action.action_id);
        return Err(Fault::invalid(fault));
    };
    decode_call(schema, action, *engine)
}

#[allow(deprecated)]
fn decode_group(
    schema: &Schema,
    profile: &Profile,
    group: &v1::ActionProfileGroup,
    dialect: Dialect,
) -> Outcome<ActionGroup> {
    let max_size = profile.check_max_size(group.max_size, dialect)?;
    let mut members: Vec<GroupMember> = Vec::new();
    for member in &group.members {
        if members.iter().any(|other| other.member == member.member_id) {
            return Err(Fault::invalid(format!("member {} is given twice", member.member_id)));
        }
        members.push(GroupMember {
            member: member.member_id,
            weight: profile.weight(member.weight, profile.info.group_size)?,
            watch_port: match &member.watch_kind {
                Some(WatchKind::WatchPort(port)) => watch_port(schema, port)?,
                Some(WatchKind::Watch(number)) => watch_number(schema, *number)?,
                None => None,
            },
        });
    }
    let weights: Vec<u32> = members.iter().map(|member| member.weight).collect();
    profile.check_room(&weights, max_size, profile.info.group_size, dialect)?;
    Ok(ActionGroup { members, max_size })
}

fn encode_member(
    schema: &Schema,
    action_profile_id: u32,
    member_id: u32,
    call: &ActionCall,
) -> v1::ActionProfileMember {
    v1::ActionProfileMember { action_profile_id, member_id, action: Some(encode_call(schema, call)) }
}
