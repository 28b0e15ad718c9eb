//! No network: every way to get at one says so, and the program goes on.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::{ErrorCode, IpAddressFamily};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;
use wasip2::sockets::udp_create_socket::create_udp_socket;

fn main() {
    for family in [IpAddressFamily::Ipv4, IpAddressFamily::Ipv6] {
        assert_eq!(create_tcp_socket(family).map(drop), Err(ErrorCode::AccessDenied));
        assert_eq!(create_udp_socket(family).map(drop), Err(ErrorCode::AccessDenied));
    }
    let network = instance_network();
    let found = resolve_addresses(&network, "localhost").map(drop);
    assert_eq!(found, Err(ErrorCode::PermanentResolverFailure));
    drop(network);

    let kind = |result: std::io::Result<()>| result.unwrap_err().kind();
    assert_eq!(kind(TcpStream::connect("127.0.0.1:80").map(drop)), ErrorKind::PermissionDenied);
    assert_eq!(kind(TcpListener::bind("127.0.0.1:0").map(drop)), ErrorKind::PermissionDenied);
    assert_eq!(kind(UdpSocket::bind("[::1]:0").map(drop)), ErrorKind::PermissionDenied);
    assert!("localhost:80".to_socket_addrs().is_err());
    println!("done");
}
