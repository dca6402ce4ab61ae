// SPDX-License-Identifier: Apache-2.0
//! OOM kills in containers, told to the host one by one.
//!
//! Each goes to all who wait for one at that moment. Where nobody waits, or none of the answers
//! reaches the channel, it is kept for the next who asks; only the newest `MAX_KEPT` are.

use crate::cgroup;
use crate::grpc::{Frame, GiveBack};
use crate::inotify::{Change, Inotify};
use crate::proto::grpc::OomEvent;
use crate::status::{Result, Status};
use crate::sys;
use nix::sys::inotify::WatchDescriptor;
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

const MAX_KEPT: usize = 64;
const FILE: &str = "memory.events";

#[derive(Default)]
pub struct Oom {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: VecDeque<String>,
    waiting: Vec<oneshot::Sender<Event>>,
    watched: HashMap<WatchDescriptor, Watched>,
    inotify: Option<Arc<Inotify>>,
}

struct Watched {
    id: String,
    cgroup: PathBuf,
    kills: u64,
}

impl Oom {
    /// Reports the OOM kills in the cgroup from its beginning until `forget`.
    pub fn watch(self: &Arc<Self>, id: &str, cgroup: &Path) -> Result<()> {
        let fail = |error| Status::io(format!("watch the memory of container {id}"), &error);
        let inotify = self.inotify().map_err(fail)?;
        let watch = inotify.add(&cgroup.join(FILE)).map_err(fail)?;
        let watched = Watched {
            id: id.into(),
            cgroup: cgroup.into(),
            kills: 0,
        };
        sys::lock(&self.state).watched.insert(watch, watched);
        self.look_at(Some(watch));
        Ok(())
    }

    /// To be called before the cgroup is removed; no kill is missed.
    pub fn forget(self: &Arc<Self>, id: &str) {
        self.look_at(None);
        let mut state = sys::lock(&self.state);
        if let Some(inotify) = state.inotify.clone() {
            state.watched.retain(|watch, watched| {
                let other = watched.id != id;
                if !other {
                    inotify.remove(*watch);
                }
                other
            });
        }
    }

    /// Forgets what nobody has asked for.
    pub fn clear(&self) {
        sys::lock(&self.state).kept.clear();
    }

    /// The next OOM kill.
    pub async fn next(self: &Arc<Self>) -> Result<Event> {
        let receiver = {
            let mut state = sys::lock(&self.state);
            if let Some(id) = state.kept.pop_front() {
                return Ok(Event::new(self, &Arc::new(Kill::new(id, 1))));
            }
            state.waiting.retain(|waiting| !waiting.is_closed());
            let (sender, receiver) = oneshot::channel();
            state.waiting.push(sender);
            receiver
        };
        let lost = |_| Status::internal("the wait for an OOM kill was lost");
        receiver.await.map_err(lost)
    }

    fn inotify(self: &Arc<Self>) -> std::io::Result<Arc<Inotify>> {
        let mut state = sys::lock(&self.state);
        if let Some(inotify) = &state.inotify {
            return Ok(inotify.clone());
        }
        let inotify = Arc::new(Inotify::new()?);
        state.inotify = Some(inotify.clone());
        tokio::spawn(self.clone().run(inotify.clone()));
        Ok(inotify)
    }

    async fn run(self: Arc<Self>, inotify: Arc<Inotify>) {
        loop {
            let changes = match inotify.next().await {
                Ok(changes) => changes,
                Err(error) => {
                    error!("OOM kills are not seen any more: {error}");
                    return;
                }
            };
            for change in changes {
                match change {
                    Change::Modified(watch) => self.look_at(Some(watch)),
                    Change::Unknown => self.look_at(None),
                    Change::Gone(watch) => drop(sys::lock(&self.state).watched.remove(&watch)),
                }
            }
        }
    }

    fn look_at(self: &Arc<Self>, only: Option<WatchDescriptor>) {
        let mut new = Vec::new();
        for (watch, watched) in &mut sys::lock(&self.state).watched {
            if only.map_or(true, |only| only == *watch) {
                let count = (0..watched.new_kills()).take(MAX_KEPT);
                new.extend(count.map(|_| watched.id.clone()));
            }
        }
        for id in new {
            info!("OOM kill in container {id}");
            self.report(id);
        }
    }

    fn report(self: &Arc<Self>, id: String) {
        let waiting = std::mem::take(&mut sys::lock(&self.state).waiting);
        if waiting.is_empty() {
            self.keep(id);
            return;
        }
        let kill = Arc::new(Kill::new(id, waiting.len()));
        for sender in waiting {
            // The event of one who has gone away is dropped here, which keeps its count.
            let _ = sender.send(Event::new(self, &kill));
        }
    }

    fn keep(&self, id: String) {
        let kept = &mut sys::lock(&self.state).kept;
        if kept.len() == MAX_KEPT {
            kept.pop_front();
        }
        kept.push_back(id);
    }
}

impl Watched {
    fn new_kills(&mut self) -> u64 {
        let text = cgroup::read(&self.cgroup, FILE).unwrap_or_default();
        let now = cgroup::field(&text, "oom_kill").unwrap_or(self.kills);
        let new = now.saturating_sub(self.kills);
        self.kills = now;
        new
    }
}

struct Kill {
    id: String,
    /// Those who may still be told.
    hopes: AtomicUsize,
}

impl Kill {
    fn new(id: String, hopes: usize) -> Kill {
        Kill {
            id,
            hopes: AtomicUsize::new(hopes),
        }
    }
}

/// One OOM kill for one who waited for it.
pub struct Event {
    oom: Arc<Oom>,
    kill: Arc<Kill>,
    told: bool,
}

impl Event {
    fn new(oom: &Arc<Oom>, kill: &Arc<Kill>) -> Event {
        Event {
            oom: oom.clone(),
            kill: kill.clone(),
            told: false,
        }
    }

    pub fn id(&self) -> &str {
        &self.kill.id
    }

    pub fn into_frame(mut self) -> Result<Frame> {
        let message = OomEvent {
            container_id: self.kill.id.clone(),
        };
        self.told = true;
        Frame::message_held(&message, Box::new(self))
    }
}

impl GiveBack for Event {
    fn give_back(mut self: Box<Self>) {
        self.told = false;
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if !self.told && self.kill.hopes.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.oom.keep(self.kill.id.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{is_pending, TempDir};

    fn cgroup(kills: u64) -> TempDir {
        let directory = TempDir::new();
        set(&directory, kills);
        directory
    }

    fn set(cgroup: &TempDir, kills: u64) {
        let text = format!("low 0\nmax 5\noom {kills}\noom_kill {kills}\n");
        std::fs::write(cgroup.path().join(FILE), text).unwrap();
    }

    async fn next_id(oom: &Arc<Oom>) -> String {
        let mut event = oom.next().await.unwrap();
        event.told = true;
        event.id().to_string()
    }

    #[tokio::test]
    async fn kills_before_during_and_at_the_end_of_the_watch_are_told() {
        let oom = Arc::new(Oom::default());
        let directory = cgroup(1);
        oom.watch("c", directory.path()).unwrap();
        assert_eq!(next_id(&oom).await, "c");
        set(&directory, 3);
        assert_eq!(next_id(&oom).await, "c");
        assert_eq!(next_id(&oom).await, "c");
        set(&directory, 4);
        oom.forget("c");
        assert_eq!(next_id(&oom).await, "c");
        set(&directory, 9);
        oom.look_at(None);
        assert!(sys::lock(&oom.state).kept.is_empty());
    }

    #[tokio::test]
    async fn all_who_wait_are_told_and_those_who_left_are_not_waited_for() {
        let oom = Arc::new(Oom::default());
        let (first, second) = (oom.next(), oom.next());
        tokio::pin!(first, second);
        assert!(is_pending(first.as_mut()).await);
        assert!(is_pending(second.as_mut()).await);
        {
            let gone = oom.next();
            tokio::pin!(gone);
            assert!(is_pending(gone.as_mut()).await);
        }
        oom.report("c".into());
        for event in [first.await, second.await] {
            let mut event = event.unwrap();
            event.told = true;
            assert_eq!(event.id(), "c");
        }
        assert!(sys::lock(&oom.state).kept.is_empty());
    }

    #[tokio::test]
    async fn an_event_that_reaches_nobody_is_kept_once() {
        let oom = Arc::new(Oom::default());
        let (first, second) = (oom.next(), oom.next());
        tokio::pin!(first, second);
        assert!(is_pending(first.as_mut()).await);
        assert!(is_pending(second.as_mut()).await);
        oom.report("c".into());
        drop(first.await);
        // Its frame is not written, because the connection has gone.
        drop(second.await.unwrap().into_frame().unwrap());
        assert_eq!(sys::lock(&oom.state).kept, ["c"]);
        assert_eq!(next_id(&oom).await, "c");
        assert!(sys::lock(&oom.state).kept.is_empty());
    }

    #[tokio::test]
    async fn the_newest_events_are_kept_when_nobody_asks() {
        let oom = Arc::new(Oom::default());
        for number in 0..100 {
            oom.report(number.to_string());
        }
        assert_eq!(sys::lock(&oom.state).kept.len(), MAX_KEPT);
        assert_eq!(next_id(&oom).await, "36");
        oom.clear();
        assert!(sys::lock(&oom.state).kept.is_empty());
    }
}
