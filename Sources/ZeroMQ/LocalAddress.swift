import Glibc
import Transport

/// Addresses of this machine.
public enum LocalAddress {
    /// The address of this machine that connections to `endpoint` start from, so that the machine there can answer to
    /// it. Nothing is sent.
    ///
    /// - Throws: `ZeroMQError` if the endpoint's host has no address or no route.
    public static func reaching(_ endpoint: String) throws(ZeroMQError) -> String {
        guard let target = HostPort(endpoint: endpoint) else {
            throw ZeroMQError("find a way to", endpoint, code: EINVAL)
        }
        let host = target.host
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_DGRAM.rawValue)
        // libzmq takes names for IPv4 unless told otherwise; an IPv6 address is meant only if it is written as one.
        hints.ai_family = host.contains(":") ? AF_INET6 : AF_INET
        var addresses: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(target.port), &hints, &addresses) == 0, let address = addresses else {
            throw ZeroMQError("find the address of", host, code: EHOSTUNREACH)
        }
        defer { freeaddrinfo(addresses) }

        // Connecting a datagram socket only picks the route and with it the local address.
        let descriptor = socket(address.pointee.ai_family, address.pointee.ai_socktype, 0)
        guard descriptor >= 0 else { throw ZeroMQError("open", "a datagram socket", code: errno) }
        defer { close(descriptor) }
        guard Glibc.connect(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 else {
            throw ZeroMQError("find a way to", endpoint, code: errno)
        }
        return try name(ofSocket: descriptor, endpoint: endpoint)
    }

    private static func name(ofSocket descriptor: CInt, endpoint: String) throws(ZeroMQError) -> String {
        var storage = sockaddr_storage()
        var byteCount = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let failure = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> CInt in
                if getsockname(descriptor, address, &byteCount) != 0 { return errno }
                let code = getnameinfo(
                    address, byteCount, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
                return code == 0 ? 0 : EADDRNOTAVAIL
            }
        }
        guard failure == 0 else { throw ZeroMQError("find a way to", endpoint, code: failure) }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
