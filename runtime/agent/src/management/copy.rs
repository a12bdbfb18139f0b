//! What the switch has, for somebody who tries it out on another one: whatever the switch is, in the terms of the program that comes with the
//! agent.

use prost::Message as _;
use tokio::sync::mpsc;
use tonic::Status;
use vouch_p4runtime::client::{RpcError, Session};
use vouch_tables::{Change, Tables};

use super::v1;
use crate::driver::Program;

/// How many entries are told at a time.
const PAGE: usize = 1_024;

/// Reads the switch, and tells what it has. Budgets are left out: what one frame does, they do not change.
pub(super) async fn copy(
    agent: String,
    (session, program): (Session, Program),
    to: mpsc::Sender<Result<v1::SwitchCopy, Status>>,
) {
    if let Err(error) = tell(&agent, &session, &program, &to).await {
        let error = error.to_string();
        // Who asked may have gone.
        let _ = to.send(Ok(v1::SwitchCopy { agent, error, ..v1::SwitchCopy::default() })).await;
    }
}

async fn tell(
    agent: &str,
    session: &Session,
    program: &Program,
    to: &mpsc::Sender<Result<v1::SwitchCopy, Status>>,
) -> Result<(), RpcError> {
    let ours = Tables::bind(&vouch_tables::p4info()).expect("this crate is tested with the program that comes with it");
    let mut page = v1::SwitchCopy { agent: agent.to_owned(), ..v1::SwitchCopy::default() };
    let mut entities = session.read(program.tables.read_tables()).await?;
    while let Some(entity) = entities.next().await {
        match program.tables.decode(&entity?) {
            Ok(Some((key, action))) => match ours.update(&Change::Insert(key, action)) {
                Ok(update) => page.entities.extend(update.entity.map(|entity| entity.encode_to_vec())),
                Err(error) => page.meaningless.push(error.to_string()),
            },
            Ok(None) => {}
            Err(error) => page.meaningless.push(error.to_string()),
        }
        if page.entities.len() + page.meaningless.len() >= PAGE {
            let full =
                std::mem::replace(&mut page, v1::SwitchCopy { agent: agent.to_owned(), ..v1::SwitchCopy::default() });
            if to.send(Ok(full)).await.is_err() {
                return Ok(());
            }
        }
    }
    // Who asked may have gone.
    let _ = to.send(Ok(page)).await;
    Ok(())
}
