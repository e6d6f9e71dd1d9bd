//! One system's turn.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::client::Client;
use crate::figures::Figures;
use crate::objects::{Bodies, LOAD};
use crate::options::{Options, Phase};
use crate::system::System;
use crate::watches::Plan;
use crate::{lists, mixed, watches, writes};

/// How long a system is left alone before its memory is looked at.
const REST: Duration = Duration::from_secs(3);

/// A system that is to be measured once, with an empty store.
pub(crate) struct Round<'a> {
    pub(crate) system: System,
    pub(crate) options: &'a Options,
    pub(crate) bodies: Arc<Bodies>,
    pub(crate) figures: &'a mut Figures,
}

impl Round<'_> {
    /// Everything but the large store.
    pub(crate) async fn measure(&mut self) -> Result<()> {
        let (options, count) = (self.options, self.options.objects.get());
        self.begin().await?;
        if options.has(Phase::Writes) {
            writes::measure(&self.system, &self.bodies, options.time(), self.figures).await?;
        }
        writes::fill(&self.system, &self.bodies, count).await?;
        self.memory(&format!("with {count} objects")).await?;
        if options.has(Phase::Lists) {
            lists::measure(&self.system, count, self.figures).await?;
            self.memory("after lists").await?;
        }
        if options.has(Phase::Starts) {
            self.again(count).await?;
        }
        if options.has(Phase::Watches) {
            let plan = Plan {
                watchers: options.watchers.get(),
                events: options.events.get(),
                time: options.time(),
            };
            watches::measure(&self.system, plan, self.figures).await?;
        }
        if options.has(Phase::Mixed) {
            let (bodies, time) = (&self.bodies, options.time());
            mixed::measure(&self.system, bodies, count, time, self.figures).await?;
        }
        self.system.stop()
    }

    /// Fills the store as asked, and looks at lists, memory and the next start.
    pub(crate) async fn measure_large(&mut self) -> Result<()> {
        let count = self.options.large;
        self.begin().await?;
        let done = writes::fill(&self.system, &self.bodies, count).await?;
        self.figures
            .add(format!("create {count}, 32 clients"), "1/s", done.rate());
        self.memory(&format!("with {count} objects")).await?;
        lists::measure(&self.system, count, self.figures).await?;
        self.again(count).await?;
        self.system.stop()
    }

    /// The first start.
    async fn begin(&mut self) -> Result<()> {
        let took = self.system.start().await?;
        if self.options.has(Phase::Starts) {
            self.figures.took("start to ready, empty", took);
        }
        self.memory("empty").await?;
        let mut client = Client::connect(self.system.access()?).await?;
        writes::make_namespace(&mut client, LOAD).await
    }

    /// Another start, on what is there.
    async fn again(&mut self, count: usize) -> Result<()> {
        self.system.stop()?;
        let took = self.system.start().await?;
        let metric = format!("start to ready, {count} objects");
        self.figures.took(metric, took);
        self.memory(&format!("after a start with {count} objects"))
            .await
    }

    async fn memory(&mut self, when: &str) -> Result<()> {
        sleep(REST).await;
        let resident = self.system.resident()?;
        self.figures.add(format!("RSS, {when}"), "MB", resident);
        let all = self.system.memory()?;
        self.figures
            .add(format!("memory with the store, {when}"), "MB", all);
        Ok(())
    }
}
