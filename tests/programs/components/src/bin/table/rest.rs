//! What is neither a file nor a stream.

use crate::show::line;
use wasip2::cli::environment::{get_arguments, get_environment, initial_cwd};
use wasip2::cli::terminal_stderr::get_terminal_stderr;
use wasip2::cli::terminal_stdin::get_terminal_stdin;
use wasip2::cli::terminal_stdout::get_terminal_stdout;
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::random::insecure::{get_insecure_random_bytes, get_insecure_random_u64};
use wasip2::random::insecure_seed::insecure_seed;
use wasip2::random::random::{get_random_bytes, get_random_u64};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::IpAddressFamily;
use wasip2::sockets::tcp_create_socket::create_tcp_socket;
use wasip2::sockets::udp_create_socket::create_udp_socket;

pub fn all() {
    println!("arguments: {:?}", get_arguments());
    println!("environment: {:?}", get_environment());
    println!("directory: {:?}", initial_cwd());
    let preopens = wasip2::filesystem::preopens::get_directories();
    let again = wasip2::filesystem::preopens::get_directories();
    for ((one, name), (other, _)) in preopens.iter().zip(&again) {
        println!("preopened {name:?}: {}", one.is_same_object(other));
    }
    // The last handle of a directory does not close it.
    drop((preopens, again));
    println!("preopened: {}", wasip2::filesystem::preopens::get_directories().len());

    println!("terminal: {}", get_terminal_stdin().is_some());
    println!("terminal: {}", get_terminal_stdout().is_some());
    println!("terminal: {}", get_terminal_stderr().is_some());

    println!("clock: {}", monotonic_clock::now() <= monotonic_clock::now());
    println!("clock: {}", (1..=1_000_000_000).contains(&monotonic_clock::resolution()));
    println!("clock: {}", wall_clock::now().nanoseconds < 1_000_000_000);
    println!("clock: {}", wall_clock::resolution().seconds <= 1);

    for len in [0, 1, 65_537, 1 << 20, 64 << 20] {
        println!("random {len}: {}", get_random_bytes(len).len() as u64 == len);
    }
    println!("insecure: {}", get_insecure_random_bytes(65_537).len());
    println!("numbers: {}", get_random_u64() != get_random_u64());
    println!("numbers: {}", get_insecure_random_u64() != get_insecure_random_u64());
    println!("seed: {}", insecure_seed() == insecure_seed());

    for family in [IpAddressFamily::Ipv4, IpAddressFamily::Ipv6] {
        line("tcp", create_tcp_socket(family).map(drop));
        line("udp", create_udp_socket(family).map(drop));
    }
    let network = instance_network();
    for name in ["localhost", "127.0.0.1", "", "not a name", "::1", "[::1]"] {
        line(&format!("resolve {name:?}"), resolve_addresses(&network, name).map(drop));
    }
}
