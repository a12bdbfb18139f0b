//! Members and groups of action profiles. Their handles are their ids less one.

use vouch_switch::{ActionCall, ActionGroup, GroupMember, ProfileId, ProfileInfo};
use vouch_switch_server::Running;

use super::api::standard::{BmMtActProfGroup, BmMtActProfMember, Profiles, TableOperationErrorCode as Code};
use super::dumps::shown_call;
use super::keys;
use super::services::Services;
use super::tables::{Done, handle_of, id_of};

impl Services {
    fn on_profile<T>(
        &self,
        name: &str,
        call: impl FnOnce(&Running<'_>, ProfileId, &ProfileInfo) -> Done<T>,
    ) -> Done<T> {
        self.with(|running, _| {
            let program = running.switch().program().clone();
            let id = program.profile(name).ok_or(Code::InvalidActionProfileName)?;
            call(running, id, program.profile_info(id).ok_or(Code::InvalidActionProfileName)?)
        })
    }

    /// The same for what only profiles with a selector have.
    fn on_selector<T>(&self, name: &str, call: impl FnOnce(&Running<'_>, ProfileId) -> Done<T>) -> Done<T> {
        self.on_profile(name, |running, id, info| {
            if info.selector { call(running, id) } else { Err(Code::NoActionProfileSelection.into()) }
        })
    }

    fn set_membership(&self, name: &str, member: i32, group: i32, on: bool) -> Done<()> {
        self.on_selector(name, |running, profile| {
            let switch = running.switch();
            let member = member_id(running, profile, member)?;
            let group = id_of(group).ok_or(Code::InvalidGrpHandle)?;
            let mut changed = switch.group(profile, group)?;
            match (changed.members.iter().position(|known| known.member == member), on) {
                (None, true) => changed.members.push(GroupMember { member, weight: 1, watch_port: None }),
                (Some(position), false) => drop(changed.members.remove(position)),
                (Some(_), true) => return Err(Code::MbrAlreadyInGrp.into()),
                (None, false) => return Err(Code::MbrNotInGrp.into()),
            }
            Ok(switch.modify_group(profile, group, &changed)?)
        })
    }
}

fn member_id(running: &Running<'_>, profile: ProfileId, handle: i32) -> Result<u32, Code> {
    let id = id_of(handle).ok_or(Code::InvalidMbrHandle)?;
    running.switch().member(profile, id).map_err(|_| Code::InvalidMbrHandle)?;
    Ok(id)
}

fn call(running: &Running<'_>, profile: ProfileId, name: &str, data: &[Vec<u8>]) -> Result<ActionCall, Code> {
    let program = running.switch().program();
    let action = program.profile_action(profile, name).ok_or(Code::InvalidActionName)?;
    let known = program.action_info(action).ok_or(Code::InvalidActionName)?;
    Ok(ActionCall { action, params: keys::params(&known.params, data).ok_or(Code::BadActionData)? })
}

/// The lowest id that is not taken; they come in ascending order.
fn lowest_free(taken: impl Iterator<Item = u32>) -> u32 {
    let mut free = 1;
    for id in taken.skip_while(|id| *id == 0) {
        if id != free {
            break;
        }
        free += 1;
    }
    free
}

fn shown_member(running: &Running<'_>, id: u32, call: &ActionCall) -> BmMtActProfMember {
    let (action_name, action_data) = shown_call(running.switch().program(), call);
    BmMtActProfMember { mbr_handle: handle_of(id), action_name, action_data }
}

fn shown_group(id: u32, group: &ActionGroup) -> BmMtActProfGroup {
    let mut mbr_handles: Vec<i32> = group.members.iter().map(|member| handle_of(member.member)).collect();
    mbr_handles.sort_unstable();
    BmMtActProfGroup { grp_handle: handle_of(id), mbr_handles }
}

impl Profiles for Services {
    fn bm_mt_act_prof_add_member(&self, _: i32, profile: String, name: String, data: Vec<Vec<u8>>) -> Done<i32> {
        self.on_profile(&profile, |running, profile, _| {
            let call = call(running, profile, &name, &data)?;
            let id = lowest_free(running.switch().members(profile)?.into_iter().map(|(id, _)| id));
            running.switch().insert_member(profile, id, &call)?;
            Ok(handle_of(id))
        })
    }

    fn bm_mt_act_prof_delete_member(&self, _: i32, profile: String, member: i32) -> Done<()> {
        self.on_profile(&profile, |running, profile, _| {
            Ok(running.switch().delete_member(profile, id_of(member).ok_or(Code::InvalidMbrHandle)?)?)
        })
    }

    fn bm_mt_act_prof_modify_member(
        &self,
        _: i32,
        profile: String,
        member: i32,
        name: String,
        data: Vec<Vec<u8>>,
    ) -> Done<()> {
        self.on_profile(&profile, |running, profile, _| {
            let call = call(running, profile, &name, &data)?;
            Ok(running.switch().modify_member(profile, id_of(member).ok_or(Code::InvalidMbrHandle)?, &call)?)
        })
    }

    fn bm_mt_act_prof_create_group(&self, _: i32, profile: String) -> Done<i32> {
        self.on_selector(&profile, |running, profile| {
            let id = lowest_free(running.switch().groups(profile)?.into_iter().map(|(id, _)| id));
            running.switch().insert_group(profile, id, &ActionGroup { members: Vec::new(), max_size: 0 })?;
            Ok(handle_of(id))
        })
    }

    fn bm_mt_act_prof_delete_group(&self, _: i32, profile: String, group: i32) -> Done<()> {
        self.on_selector(&profile, |running, profile| {
            Ok(running.switch().delete_group(profile, id_of(group).ok_or(Code::InvalidGrpHandle)?)?)
        })
    }

    fn bm_mt_act_prof_add_member_to_group(&self, _: i32, profile: String, member: i32, group: i32) -> Done<()> {
        self.set_membership(&profile, member, group, true)
    }

    fn bm_mt_act_prof_remove_member_from_group(&self, _: i32, profile: String, member: i32, group: i32) -> Done<()> {
        self.set_membership(&profile, member, group, false)
    }

    fn bm_mt_act_prof_get_members(&self, _: i32, profile: String) -> Done<Vec<BmMtActProfMember>> {
        self.on_profile(&profile, |running, profile, _| {
            let members = running.switch().members(profile)?;
            Ok(members.iter().map(|(id, call)| shown_member(running, *id, call)).collect())
        })
    }

    fn bm_mt_act_prof_get_member(&self, _: i32, profile: String, member: i32) -> Done<BmMtActProfMember> {
        self.on_profile(&profile, |running, profile, _| {
            let id = member_id(running, profile, member)?;
            Ok(shown_member(running, id, &running.switch().member(profile, id)?))
        })
    }

    fn bm_mt_act_prof_get_groups(&self, _: i32, profile: String) -> Done<Vec<BmMtActProfGroup>> {
        self.on_selector(&profile, |running, profile| {
            let groups = running.switch().groups(profile)?;
            Ok(groups.iter().map(|(id, group)| shown_group(*id, group)).collect())
        })
    }

    fn bm_mt_act_prof_get_group(&self, _: i32, profile: String, group: i32) -> Done<BmMtActProfGroup> {
        self.on_selector(&profile, |running, profile| {
            let id = id_of(group).ok_or(Code::InvalidGrpHandle)?;
            Ok(shown_group(id, &running.switch().group(profile, id)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::lowest_free;

    #[test]
    fn gaps_are_filled() {
        assert_eq!(lowest_free([].into_iter()), 1);
        assert_eq!(lowest_free([1, 2, 4].into_iter()), 3);
        assert_eq!(lowest_free([0, 1, 2].into_iter()), 3);
        assert_eq!(lowest_free([7].into_iter()), 1);
    }
}
