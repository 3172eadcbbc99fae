//! LeaveGroup: members go, by themselves or sent by an administrator.

use super::action::Leaver;
use super::classic::{Group, GroupState};
use super::error::GroupError;
use super::turn::Turn;

impl Group {
    pub(super) fn leave(
        &mut self,
        turn: &mut Turn<'_>,
        leavers: &[Leaver],
    ) -> Result<Vec<Result<(), GroupError>>, GroupError> {
        if self.state == GroupState::Dead {
            return Err(GroupError::NotAvailable);
        }
        let left: Vec<_> = leavers
            .iter()
            .map(|leaver| self.leave_one(turn, leaver))
            .collect();
        if left.iter().any(Result::is_ok) {
            self.on_member_gone(turn);
        }
        Ok(left)
    }

    fn leave_one(&mut self, turn: &mut Turn<'_>, leaver: &Leaver) -> Result<(), GroupError> {
        let id = match &leaver.instance {
            Some(instance) if leaver.member.is_empty() => {
                let holder = self.instances.get(instance).cloned();
                holder.ok_or(GroupError::UnknownMemberId)?
            }
            _ if self.expected.contains_key(&leaver.member) => leaver.member.clone(),
            instance => {
                self.check_member(&leaver.member, instance.as_deref())?;
                leaver.member.clone()
            }
        };
        self.turn_away(turn, &id);
        self.remove(&id);
        Ok(())
    }
}
