//! The answer to a read: what was found as of one moment, and cells of large arrays as the client comes to them.

use std::collections::VecDeque;
use std::sync::Arc;

use prost::Message;
use tonic::Status;
use vouch_p4runtime::p4::v1::{Entity, ReadResponse};
use vouch_switch::Switch;

use crate::entity::Stretch;
use crate::role::Scope;
use crate::schema::Schema;

/// Part of an answer.
pub(crate) enum Part {
    Found(Vec<Entity>),
    Cells(Stretch),
}

/// The responses, each made when the client is ready for it; one empty one where nothing was found.
pub(crate) struct Answer {
    entities: Entities,
    /// A response is sent when its entities take so many bytes.
    limit: usize,
    /// An entity that did not fit the last response.
    held: Option<Entity>,
    /// What failed of the request.
    failed: Option<Status>,
    begun: bool,
}

struct Entities {
    parts: VecDeque<Part>,
    found: std::vec::IntoIter<Entity>,
    scope: Option<Scope>,
    schema: Arc<Schema>,
    switch: Arc<Switch>,
}

impl Answer {
    pub(crate) fn new(
        parts: Vec<Part>,
        scope: Option<Scope>,
        (schema, switch): (Arc<Schema>, Arc<Switch>),
        limit: usize,
        failed: Option<Status>,
    ) -> Self {
        let entities = Entities { parts: parts.into(), found: Vec::new().into_iter(), scope, schema, switch };
        Self { entities, limit, held: None, failed, begun: false }
    }
}

impl Iterator for Answer {
    type Item = Result<ReadResponse, Status>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut entities: Vec<Entity> = Vec::new();
        let mut bytes = 0;
        while let Some(entity) = self.held.take().or_else(|| self.entities.next()) {
            bytes += entity.encoded_len();
            if bytes > self.limit && !entities.is_empty() {
                self.held = Some(entity);
                break;
            }
            entities.push(entity);
        }
        if entities.is_empty() && self.begun {
            return self.failed.take().map(Err);
        }
        self.begun = true;
        Some(Ok(ReadResponse { entities }))
    }
}

impl Iterator for Entities {
    type Item = Entity;

    /// The next that the role may see.
    fn next(&mut self) -> Option<Entity> {
        loop {
            let entity = match self.found.next() {
                Some(entity) => entity,
                None => match self.parts.front_mut()? {
                    Part::Cells(stretch) => match stretch.next(&self.schema, &self.switch) {
                        Some(entity) => entity,
                        None => {
                            self.parts.pop_front();
                            continue;
                        }
                    },
                    Part::Found(found) => {
                        self.found = std::mem::take(found).into_iter();
                        self.parts.pop_front();
                        continue;
                    }
                },
            };
            if self.scope.as_ref().is_none_or(|scope| scope.shows(&entity)) {
                return Some(entity);
            }
        }
    }
}
