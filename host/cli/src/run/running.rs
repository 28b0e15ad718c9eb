//! One program, from its module's bytes to its end.

use super::{Host, Run};
use crate::native::{Choice, Chooser};
use crate::stats::Timeline;
use crate::{invoke, module, termination};
use anyhow::{Context as _, anyhow};
use std::time::Instant;
use wrt_platform::citizen::Activity;
use wrt_vm::{Entrance, Error, Instance, Jail, MicroVm, Module};

/// How a run ended, when nothing went wrong with the VM.
pub(crate) enum Ending {
    Returned,
    Exited(i32),
}

impl Run {
    /// Reads the module.
    pub(crate) fn read(&self, timeline: &mut Timeline) -> anyhow::Result<Module> {
        let module = timeline.step("read", || module::read(self.module()))?;
        if self.invoke.is_some() && module.is_component() {
            return Err(anyhow!(Error::Component(
                "--invoke calls a function of a core module, and this is a component".to_owned()
            )));
        }
        Ok(module)
    }

    /// Runs the program in a VM.
    pub(crate) fn run_on(
        &self,
        host: &Host,
        module: Module,
        deadline: Option<Instant>,
        timeline: &mut Timeline,
    ) -> anyhow::Result<Ending> {
        let cache = &host.cache;
        let chooser = Chooser {
            compilers: &host.compilers,
            wanted: self.engine,
            cache: cache.as_ref(),
            // A jail takes the cache from threads, too.
            writes: (!host.jail).then_some(&host.writes),
            name: &self.name(),
            deadline,
            progress: self.jobs.is_none(),
        };
        let choice = timeline.step("choose", || chooser.choose(module.clone()))?;
        let ended = self.run_as(&choice, host, deadline, timeline);
        if let (Some(cache), true, Err(error)) = (cache, choice.from_cache, &ended)
            && let Some(Error::UnusableArtifact(_)) = error.downcast_ref()
        {
            // Somebody put it there: the cache is as good as empty.
            cache.remove(&choice.module);
            if host.jail {
                // In here nothing can be compiled any more.
                return ended.context(
                    "the code cache had something else for this module, and has it no more: \
                     run it again",
                );
            }
            return self.run_as(&chooser.choose(module)?, host, deadline, timeline);
        }
        ended
    }

    fn run_as(
        &self,
        choice: &Choice,
        host: &Host,
        deadline: Option<Instant>,
        timeline: &mut Timeline,
    ) -> anyhow::Result<Ending> {
        let world = self.world()?;
        let entrance = host.jail.then(|| {
            let jail = Jail::of(&world);
            match &host.cache {
                Some(cache) if choice.from_cache => jail.forgetting(cache),
                _ => jail,
            }
        });
        let entrance = entrance.map(Jail::close_names).transpose()?;
        let world = entrance.as_ref().map_or(world, Entrance::world);
        let mut vm = timeline.step("create", || match &host.pool {
            Some(pool) if pool.engine() == choice.engine && !self.own.unlike_others => {
                pool.take(world)
            }
            _ => {
                let settings = self.settings(host, choice.engine).wasi(world).deadline(deadline);
                settings.build_on(host.hypervisor.as_ref())
            }
        })?;
        vm.set_deadline(deadline);
        if let Some(entrance) = entrance {
            let jailed = timeline.step("jail", || entrance.enter(&vm))?;
            if !jailed.is_complete() {
                tracing::warn!("the jail is {jailed}");
            }
            timeline.jailed(jailed.to_string());
        }
        termination::listen();
        let ended = termination::ends(&vm);
        let ending = self.run_in(&mut vm, &choice.module, timeline);
        drop(ended);
        timeline.finished(&vm, choice.why);
        ending
    }

    fn run_in(
        &self,
        vm: &mut MicroVm,
        module: &Module,
        timeline: &mut Timeline,
    ) -> anyhow::Result<Ending> {
        let ended = |error| match error {
            Error::Exit(code) => Ok(Ending::Exited(code)),
            other => Err(anyhow!(other)),
        };
        // A hint: without it the program runs as well.
        let _activity = Activity::begin(self.qos.activity(), "runs a WebAssembly program");
        let loaded = timeline.step("load", || vm.load(module))?;
        let instance = match timeline.step("instantiate", || vm.instantiate(loaded)) {
            Ok(instance) => instance,
            Err(error) => return ended(error),
        };
        timeline.step("run", || self.run_instance(vm, instance)).or_else(|error| {
            match error.downcast::<Error>() {
                Ok(error) => ended(error),
                Err(other) => Err(other),
            }
        })
    }

    fn run_instance(&self, vm: &mut MicroVm, instance: Instance) -> anyhow::Result<Ending> {
        if let Some(export) = &self.invoke {
            return invoke::call(vm, instance, export, self.args()).map(|()| Ending::Returned);
        }
        match vm.run(instance) {
            Err(Error::NoSuchExport(_)) => Err(anyhow!(
                "the module is not a program: it exports no function `_start`\n  \
                 call one of its exports with --invoke: {}",
                invoke::exported_functions(vm, instance)?
            )),
            ran => Ok(ran.map(|()| Ending::Returned)?),
        }
    }
}
