import ZeroMQ

/// Where the data plane is bound, and the host that other nodes are told.
struct DataAddress: Equatable {
    var binding: String
    /// Nil: as bound.
    var advertisedHost: String?

    /// - Parameter dataEndpoint: as configured; nil for any free port.
    /// - Throws: `ZeroMQError` if the coordinator's host has no address or no route from here.
    init(dataEndpoint: String?, coordinatorEndpoint: String) throws(ZeroMQError) {
        let wildcards = ["*", "0.0.0.0", "::"]
        if let dataEndpoint {
            binding = dataEndpoint
            guard let host = LocalAddress.host(of: dataEndpoint), wildcards.contains(host) else { return }
            advertisedHost = try LocalAddress.reaching(coordinatorEndpoint)
            return
        }
        let local = try LocalAddress.reaching(coordinatorEndpoint)
        let isVersion6 = local.contains(":")
        if LocalAddress.isLoopback(local) {
            binding = isVersion6 ? "tcp://[::1]:0" : "tcp://127.0.0.1:0"
        } else {
            binding = isVersion6 ? "tcp://[::]:0" : "tcp://*:0"
            advertisedHost = local
        }
    }
}
