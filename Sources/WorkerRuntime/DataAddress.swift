import Transport
import ZeroMQ

/// Where a socket for other nodes is bound, and the host that they are told.
struct DataAddress: Equatable {
    var binding: String
    /// Nil: as bound.
    var advertisedHost: String?

    /// The same address, but any free port of it.
    mutating func takeAnyPort() {
        guard let bound = HostPort(endpoint: binding) else { return }
        binding = "tcp://\(HostPort(host: bound.host, port: 0))"
    }

    enum Problem: Error, Equatable {
        /// The coordinator's host has no address, or there is no route to it: that may change.
        case noWay(ZeroMQError)
        case configuration(String)
    }

    /// Unless links are encrypted, nothing listens where it was not told to: only the address by which this machine
    /// reaches the coordinator, and loopback, need no permission.
    ///
    /// - Parameters:
    ///   - endpoint: as configured; nil for any free port of the address that reaches the coordinator.
    ///   - option: by which it is configured.
    ///   - allowsAnyAddress: whether links are encrypted, or need not be.
    init(
        _ endpoint: String?, option: String, coordinatorEndpoint: String, allowsAnyAddress: Bool
    ) throws(Problem) {
        let local: String
        do throws(ZeroMQError) { local = try LocalAddress.reaching(coordinatorEndpoint) } catch { throw .noWay(error) }
        guard let endpoint else {
            binding = "tcp://\(HostPort(host: local, port: 0))"
            return
        }
        guard let given = HostPort(endpoint: endpoint) else {
            throw .configuration("\(option) \(endpoint): it is not an endpoint; write it as tcp://\(local):7071")
        }
        guard allowsAnyAddress || given.isLoopback || given.host == local else {
            throw .configuration(
                "\(option) \(endpoint): links are not encrypted, and this is neither loopback nor \(local), by which "
                    + "this machine reaches the coordinator; use that address, or give --key, or --security none if "
                    + "you trust the network")
        }
        binding = endpoint
        if given.isWildcard { advertisedHost = local }
    }
}
