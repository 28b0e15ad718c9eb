//! macOS: `os_log` and its activities, by the functions that the macros of `os/log.h` and
//! `os/activity.h` expand to.

use super::GUEST;
use crate::availability::Availability;
use crate::fields::Fields;
use crate::os_log::{Arguments, DSO, Handle, PRIVATE_STRING, PUBLIC_STRING};
use std::cell::RefCell;
use std::ffi::{CString, c_char, c_void};
use tracing::span::Id;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

// libsystem_trace, in libSystem: `os/log.h`, `os/activity.h`, macOS 10.12.
unsafe extern "C" {
    fn os_log_type_enabled(log: *mut c_void, kind: u8) -> bool;
    fn _os_log_impl(
        dso: *const c_void,
        log: *mut c_void,
        kind: u8,
        format: *const c_char,
        buffer: *const u8,
        size: u32,
    );
    fn _os_activity_create(
        dso: *const c_void,
        description: *const c_char,
        parent: *mut c_void,
        flags: u32,
    ) -> *mut c_void;
    fn os_activity_scope_enter(activity: *mut c_void, state: *mut ScopeState);
    fn os_activity_scope_leave(state: *mut ScopeState);
    fn os_release(object: *mut c_void);
    /// `OS_ACTIVITY_CURRENT` is its address.
    static _os_activity_current: u8;
}

/// `struct os_activity_scope_state_s`.
#[repr(C)]
struct ScopeState {
    opaque: [u64; 2],
}

/// `os_log_type_t`.
const DEFAULT: u8 = 0x00;
const INFO: u8 = 0x01;
const DEBUG: u8 = 0x02;
const ERROR: u8 = 0x10;
const FAULT: u8 = 0x11;

/// Sends events to `os_log`, and entered spans as activities. What guests say is private
/// there: masked unless the reader asks for private data.
#[derive(Debug)]
pub struct SystemLayer {
    log: Handle,
}

/// A layer that sends events to `os_log`, under this subsystem. There always is one here.
pub fn system_layer(subsystem: &'static str) -> Option<SystemLayer> {
    Some(SystemLayer { log: Handle::new(subsystem, "wrt") })
}

/// An activity that this thread is in. The state's address is the system's, so it is boxed.
struct Scope {
    span: Id,
    state: Box<ScopeState>,
    activity: *mut c_void,
}

thread_local!(static SCOPES: RefCell<Vec<Scope>> = const { RefCell::new(Vec::new()) });

fn kind(event: &Event<'_>, fields: &Fields) -> u8 {
    match (fields.text("kind"), *event.metadata().level()) {
        (Some("fault"), _) => FAULT,
        (Some("default"), _) | (_, Level::WARN) => DEFAULT,
        (_, Level::ERROR) => ERROR,
        (_, Level::INFO) => INFO,
        (_, Level::DEBUG | Level::TRACE) => DEBUG,
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for SystemLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let fields = Fields::of_event(event);
        let kind = kind(event, &fields);
        // SAFETY: a log handle, which is never released.
        if !unsafe { os_log_type_enabled(self.log.as_ptr(), kind) } {
            return;
        }
        // Printable, so without NUL.
        let Ok(line) = CString::new(fields.line()) else { return };
        let (format, arguments) = match event.metadata().target() {
            GUEST => (PRIVATE_STRING.as_ptr(), Arguments::private_string(&line)),
            _ => (PUBLIC_STRING.as_ptr(), Arguments::string(&line)),
        };
        // SAFETY: `os/log.h`, `os_log_with_type`: the program's own image, a log handle, a
        // format of one string from the program, and a buffer encoded for that format which
        // outlives the call, as its string does.
        unsafe {
            _os_log_impl(
                DSO.as_ptr(),
                self.log.as_ptr(),
                kind,
                format.cast(),
                (&raw const arguments).cast(),
                Arguments::SIZE,
            );
        }
    }

    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        let mut state = Box::new(ScopeState { opaque: [0; 2] });
        // SAFETY: `os/activity.h`, `os_activity_create`: a literal of the program, the current
        // activity for a parent, no flags. Entering writes the state, which keeps its address
        // until it is left, on this thread.
        let activity = unsafe {
            let parent = (&raw const _os_activity_current).cast_mut().cast();
            let activity = _os_activity_create(DSO.as_ptr(), c"wrt".as_ptr(), parent, 0);
            os_activity_scope_enter(activity, &raw mut *state);
            activity
        };
        SCOPES.with_borrow_mut(|scopes| scopes.push(Scope { span: id.clone(), state, activity }));
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        let left = SCOPES.with_borrow_mut(|scopes| {
            let last = scopes.iter().rposition(|scope| scope.span == *id)?;
            // Scopes nest: what was entered after it and not left is left with it.
            Some(scopes.split_off(last))
        });
        for mut scope in left.into_iter().flatten().rev() {
            // SAFETY: the state that entering wrote, on this thread, innermost first; the
            // activity is ours since it was created.
            unsafe {
                os_activity_scope_leave(&raw mut *scope.state);
                os_release(scope.activity);
            }
        }
    }
}

pub(super) fn availability() -> Availability {
    Availability {
        system: "log",
        available: true,
        how: "os_log, standard error".to_owned(),
        missing: None,
        remedy: None,
    }
}
