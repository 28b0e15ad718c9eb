//! What components may import: the interfaces of WASI 0.2 that the native kernel links.
//!
//! The compiler looks each import up here before it compiles anything, so that a component that
//! no kernel can link costs no compilation. The kernel links `wasi:http` and `wasi:sockets` by
//! this table; what it links of the other packages is made of `guest/wit`. A test compares the
//! table with those files.

/// An interface, in every version that is compatible with 0.2.0.
#[derive(Clone, Copy, Debug)]
pub struct Interface(
    /// Package and name.
    &'static str,
    /// The resources and functions that it defines, in the binary format's words.
    &'static str,
);

impl Interface {
    /// Every interface.
    pub const ALL: &'static [Self] = INTERFACES;

    /// The interface that an import of this name stands for.
    pub fn of_import(import: &str) -> Option<&'static Self> {
        let (name, version) = import.split_once('@')?;
        let interface = Self::ALL.iter().find(|interface| interface.name() == name)?;
        is_compatible(version).then_some(interface)
    }

    /// Package and name, such as `wasi:io/poll`.
    pub const fn name(&self) -> &'static str {
        self.0
    }

    /// The resources and functions that it defines, such as `[method]pollable.block`.
    pub fn items(&self) -> impl Iterator<Item = &'static str> {
        self.1.split_ascii_whitespace()
    }

    /// Whether it defines a resource or function of this name.
    pub fn defines(&self, item: &str) -> bool {
        self.items().any(|defined| defined == item)
    }
}

/// Whether programs for a version of WASI find in 0.2 what they ask for: engines compare the
/// first two numbers, and a release candidate with itself only.
fn is_compatible(version: &str) -> bool {
    let release = version.split_once('+').map_or(version, |(release, _build)| release);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    release.strip_prefix("0.2.").is_some_and(is_number)
}

const INTERFACES: &[Interface] = &[
    Interface("wasi:cli/environment", "get-environment get-arguments initial-cwd"),
    Interface("wasi:cli/exit", "exit exit-with-code"),
    Interface("wasi:cli/stdin", "get-stdin"),
    Interface("wasi:cli/stdout", "get-stdout"),
    Interface("wasi:cli/stderr", "get-stderr"),
    Interface("wasi:cli/terminal-input", "terminal-input"),
    Interface("wasi:cli/terminal-output", "terminal-output"),
    Interface("wasi:cli/terminal-stdin", "get-terminal-stdin"),
    Interface("wasi:cli/terminal-stdout", "get-terminal-stdout"),
    Interface("wasi:cli/terminal-stderr", "get-terminal-stderr"),
    Interface("wasi:clocks/monotonic-clock", "now resolution subscribe-instant subscribe-duration"),
    Interface("wasi:clocks/wall-clock", "now resolution"),
    Interface(
        "wasi:filesystem/types",
        "descriptor [method]descriptor.read-via-stream [method]descriptor.write-via-stream \
         [method]descriptor.append-via-stream [method]descriptor.advise \
         [method]descriptor.sync-data [method]descriptor.get-flags [method]descriptor.get-type \
         [method]descriptor.set-size [method]descriptor.set-times [method]descriptor.read \
         [method]descriptor.write [method]descriptor.read-directory [method]descriptor.sync \
         [method]descriptor.create-directory-at [method]descriptor.stat [method]descriptor.stat-at \
         [method]descriptor.set-times-at [method]descriptor.link-at [method]descriptor.open-at \
         [method]descriptor.readlink-at [method]descriptor.remove-directory-at \
         [method]descriptor.rename-at [method]descriptor.symlink-at \
         [method]descriptor.unlink-file-at [method]descriptor.is-same-object \
         [method]descriptor.metadata-hash [method]descriptor.metadata-hash-at \
         directory-entry-stream [method]directory-entry-stream.read-directory-entry \
         filesystem-error-code",
    ),
    Interface("wasi:filesystem/preopens", "get-directories"),
    Interface(
        "wasi:http/types",
        "fields [constructor]fields [static]fields.from-list [method]fields.get [method]fields.has \
         [method]fields.set [method]fields.delete [method]fields.append [method]fields.entries \
         [method]fields.clone incoming-request [method]incoming-request.method \
         [method]incoming-request.path-with-query [method]incoming-request.scheme \
         [method]incoming-request.authority [method]incoming-request.headers \
         [method]incoming-request.consume outgoing-request [constructor]outgoing-request \
         [method]outgoing-request.body [method]outgoing-request.method \
         [method]outgoing-request.set-method [method]outgoing-request.path-with-query \
         [method]outgoing-request.set-path-with-query [method]outgoing-request.scheme \
         [method]outgoing-request.set-scheme [method]outgoing-request.authority \
         [method]outgoing-request.set-authority [method]outgoing-request.headers request-options \
         [constructor]request-options [method]request-options.connect-timeout \
         [method]request-options.set-connect-timeout [method]request-options.first-byte-timeout \
         [method]request-options.set-first-byte-timeout \
         [method]request-options.between-bytes-timeout \
         [method]request-options.set-between-bytes-timeout response-outparam \
         [method]response-outparam.send-informational [static]response-outparam.set \
         incoming-response [method]incoming-response.status [method]incoming-response.headers \
         [method]incoming-response.consume incoming-body [method]incoming-body.stream \
         [static]incoming-body.finish future-trailers [method]future-trailers.subscribe \
         [method]future-trailers.get outgoing-response [constructor]outgoing-response \
         [method]outgoing-response.status-code [method]outgoing-response.set-status-code \
         [method]outgoing-response.headers [method]outgoing-response.body outgoing-body \
         [method]outgoing-body.write [static]outgoing-body.finish future-incoming-response \
         [method]future-incoming-response.subscribe [method]future-incoming-response.get \
         http-error-code",
    ),
    Interface("wasi:http/outgoing-handler", "handle"),
    Interface("wasi:io/error", "error [method]error.to-debug-string"),
    Interface("wasi:io/poll", "pollable [method]pollable.ready [method]pollable.block poll"),
    Interface(
        "wasi:io/streams",
        "input-stream [method]input-stream.read [method]input-stream.blocking-read \
         [method]input-stream.skip [method]input-stream.blocking-skip \
         [method]input-stream.subscribe output-stream [method]output-stream.check-write \
         [method]output-stream.write [method]output-stream.blocking-write-and-flush \
         [method]output-stream.flush [method]output-stream.blocking-flush \
         [method]output-stream.subscribe [method]output-stream.write-zeroes \
         [method]output-stream.blocking-write-zeroes-and-flush [method]output-stream.splice \
         [method]output-stream.blocking-splice",
    ),
    Interface("wasi:random/insecure-seed", "insecure-seed"),
    Interface("wasi:random/insecure", "get-insecure-random-bytes get-insecure-random-u64"),
    Interface("wasi:random/random", "get-random-bytes get-random-u64"),
    Interface("wasi:sockets/network", "network network-error-code"),
    Interface("wasi:sockets/instance-network", "instance-network"),
    Interface(
        "wasi:sockets/ip-name-lookup",
        "resolve-address-stream [method]resolve-address-stream.resolve-next-address \
         [method]resolve-address-stream.subscribe resolve-addresses",
    ),
    Interface(
        "wasi:sockets/tcp",
        "tcp-socket [method]tcp-socket.start-bind [method]tcp-socket.finish-bind \
         [method]tcp-socket.start-connect [method]tcp-socket.finish-connect \
         [method]tcp-socket.start-listen [method]tcp-socket.finish-listen \
         [method]tcp-socket.accept [method]tcp-socket.local-address \
         [method]tcp-socket.remote-address [method]tcp-socket.is-listening \
         [method]tcp-socket.address-family [method]tcp-socket.set-listen-backlog-size \
         [method]tcp-socket.keep-alive-enabled [method]tcp-socket.set-keep-alive-enabled \
         [method]tcp-socket.keep-alive-idle-time [method]tcp-socket.set-keep-alive-idle-time \
         [method]tcp-socket.keep-alive-interval [method]tcp-socket.set-keep-alive-interval \
         [method]tcp-socket.keep-alive-count [method]tcp-socket.set-keep-alive-count \
         [method]tcp-socket.hop-limit [method]tcp-socket.set-hop-limit \
         [method]tcp-socket.receive-buffer-size [method]tcp-socket.set-receive-buffer-size \
         [method]tcp-socket.send-buffer-size [method]tcp-socket.set-send-buffer-size \
         [method]tcp-socket.subscribe [method]tcp-socket.shutdown",
    ),
    Interface("wasi:sockets/tcp-create-socket", "create-tcp-socket"),
    Interface(
        "wasi:sockets/udp",
        "udp-socket [method]udp-socket.start-bind [method]udp-socket.finish-bind \
         [method]udp-socket.stream [method]udp-socket.local-address \
         [method]udp-socket.remote-address [method]udp-socket.address-family \
         [method]udp-socket.unicast-hop-limit [method]udp-socket.set-unicast-hop-limit \
         [method]udp-socket.receive-buffer-size [method]udp-socket.set-receive-buffer-size \
         [method]udp-socket.send-buffer-size [method]udp-socket.set-send-buffer-size \
         [method]udp-socket.subscribe incoming-datagram-stream \
         [method]incoming-datagram-stream.receive [method]incoming-datagram-stream.subscribe \
         outgoing-datagram-stream [method]outgoing-datagram-stream.check-send \
         [method]outgoing-datagram-stream.send [method]outgoing-datagram-stream.subscribe",
    ),
    Interface("wasi:sockets/udp-create-socket", "create-udp-socket"),
];
