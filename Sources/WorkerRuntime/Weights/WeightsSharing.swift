import Logging
import Synchronization
import Transport
import WeightTransfer
import ZeroMQ

/// What a worker has of weights for others, the server that gives them, and who has some for it. Any thread may use it.
final class WeightsSharing: Sendable {
    private struct State {
        /// Where the server listens; empty before it does.
        var endpoint = ""
        var sources: [Peer] = []
    }

    let shelf: WeightsShelf
    /// Ends a wait before the server listens.
    let wake: WakeSignal
    /// Nil if this worker gives nothing to others.
    private let server: WeightsServer?
    private let state = Mutex(State())
    private let logger: Logger
    private let onChange: @Sendable () -> Void

    /// - Parameter onChange: is called when `offer` has become another.
    init(
        _ configuration: WorkerConfiguration, logger: Logger, onChange: @escaping @Sendable () -> Void
    ) throws(ZeroMQError) {
        shelf = WeightsShelf(manifestFolder: configuration.manifestsFolder, onChange: onChange)
        wake = try WakeSignal()
        server =
            configuration.servesWeights
            ? try WeightsServer(
                node: configuration.name, clusterID: configuration.clusterID, shelf: shelf, logger: logger) : nil
        self.logger = logger
        self.onChange = onChange
    }

    var isServing: Bool { server != nil }

    /// What the coordinator is told.
    var offer: WeightsOffer {
        let holding = shelf.holding
        return WeightsOffer(
            endpoint: state.withLock(\.endpoint), headerDigest: holding?.headerDigest ?? [],
            heldByteCount: UInt64(holding?.byteCount ?? 0))
    }

    /// Who has weights besides the coordinator.
    var sources: [Peer] {
        get { state.withLock(\.sources) }
        set { state.withLock { $0.sources = newValue } }
    }

    /// Frames that the server refused.
    var dropCount: UInt64 { server?.drops.total ?? 0 }

    /// Serves until `stop`. That it cannot is no reason for a worker not to compute.
    func serve(at address: DataAddress, security: NodeSecurity?) {
        guard let server else { return }
        server.run(binding: address.binding, advertisedHost: address.advertisedHost, security: security) { result in
            do throws(ZeroMQError) {
                let endpoint = try result.get()
                state.withLock { $0.endpoint = endpoint }
                logger.info("weights are served", metadata: ["endpoint": "\(endpoint)"])
                onChange()
            } catch {
                logger.error(
                    "no weights are served to other workers", metadata: ["problem": "\(error)"])
            }
        }
        // Nobody is to ask here any more.
        state.withLock { $0.endpoint = "" }
        onChange()
    }

    /// Any thread may call it, before `serve` as well.
    func stop() {
        server?.stop()
        wake.signal()
    }
}
