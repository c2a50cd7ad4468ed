public import Collectives
import Logging
import ServiceLifecycle
import Synchronization
import Transport
public import WeightTransfer
import ZeroMQ

/// One worker: joins the coordinator's cluster and computes the stage that it is given.
///
/// It has two threads. The control thread talks to the coordinator, so that heartbeats wait for nothing. The compute
/// thread owns the data plane and the stage: loading, steps, and what goes to the next stage.
public final class Worker: Service, Sendable {
    /// Makes the stage that an assignment describes. Called on the compute thread; may take as long as it takes.
    ///
    /// The group is that of the stage's ranks, for combining the parts that they compute. The supply has the weights that are
    /// not on this machine; nil if nobody serves them.
    public typealias Loader =
        @Sendable (StageAssignment, RankGroup, WeightsSupply?) throws(StageError) -> any StageComputing

    /// Measures how fast this machine is; with `again`, even if it was measured before. Called on the compute thread.
    public typealias Meter = @Sendable (_ again: Bool) throws(StageError) -> NodeRates

    private let configuration: WorkerConfiguration
    private let logger: Logger
    private let loader: Loader
    private let meter: Meter?
    private let control: ControlInbox
    private let compute: ComputeInbox
    private let usage = WorkerUsage()
    private let sharing: WeightsSharing
    private let hasRun = Mutex(false)

    /// - Parameter meter: nil for a worker that does not know how fast it is.
    /// - Throws: `WorkerError.system` if the process has no file descriptors left.
    public init(
        configuration: WorkerConfiguration, logger: Logger, meter: Meter? = nil, loader: @escaping Loader
    ) throws(WorkerError) {
        self.configuration = configuration
        self.loader = loader
        self.meter = meter
        var logger = logger
        logger[metadataKey: "worker"] = "\(configuration.name)"
        self.logger = logger
        do throws(ZeroMQError) {
            control = try ControlInbox()
            compute = try ComputeInbox()
            sharing = try WeightsSharing(configuration, logger: logger) { [wake = control.wake] in wake.signal() }
        } catch {
            throw .system(error.description)
        }
    }

    /// Works until `stop()`, graceful shutdown or cancellation, then leaves the cluster.
    ///
    /// Whether the coordinator is there yet, or comes back after it was gone, makes no difference.
    ///
    /// - Throws: `WorkerError`, among them `.refused` with the coordinator's reason.
    public func run() async throws {
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await runOnThread()
            } onGracefulShutdown: {
                self.stop()
            }
        } onCancel: {
            stop()
        }
    }

    /// Ends `run()` soon. Any thread may call it, before `run()` as well.
    public func stop() { control.stop() }

    /// The same as `run()`, on the calling thread, which becomes the control thread.
    public func runUntilStopped() throws(WorkerError) {
        let isFirst = hasRun.withLock { hasRun in
            defer { hasRun = true }
            return !hasRun
        }
        guard isFirst else { throw .alreadyRan }

        let computeThread: OwnedThread
        var weightsThread: OwnedThread?
        do throws(ZeroMQError) {
            computeThread = try OwnedThread.start(name: "ryz-compute") { self.runCompute() }
            if sharing.isServing {
                weightsThread = try OwnedThread.start(name: "ryz-weights") { self.runWeights() }
            }
        } catch {
            compute.stop()
            throw .system(error.description)
        }
        let ending = runControl()
        compute.stop()
        sharing.stop()
        _ = weightsThread?.join(within: configuration.shutdownTimeout)
        if !computeThread.join(within: configuration.shutdownTimeout) {
            logger.warning("the compute thread is still busy; it ends with the process")
        }
        switch ending {
        case .stopped: logger.info("left the cluster")
        case .failed(let problem): throw .system(problem)
        case .refused(let reason): throw .refused(coordinator: configuration.coordinatorEndpoint, reason: reason)
        case .otherVersion(let theirs):
            throw .otherVersion(
                coordinator: configuration.coordinatorEndpoint, theirs: theirs, ours: Envelope.protocolVersion)
        }
    }

    private func runOnThread() async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            do {
                _ = try OwnedThread.start(name: "ryz-control") {
                    continuation.resume(with: Result { try self.runUntilStopped() })
                }
            } catch {
                continuation.resume(throwing: WorkerError.system("\(error)"))
            }
        }
    }

    /// The control thread: waits for the data plane to listen, then joins the cluster.
    private func runControl() -> ControlSession.Ending {
        while true {
            let reports = control.takeReports()
            for (index, report) in reports.enumerated() {
                switch report {
                case .listening(let endpoint):
                    for later in reports[(index + 1)...] { control.post(later) }
                    return joinCluster(dataEndpoint: endpoint)
                case .broken(let problem): return .failed(problem)
                case .ready, .failure, .measured: break
                }
            }
            if control.isStopping { return .stopped }
            control.wake.wait(timeout: .seconds(10))
        }
    }

    private func joinCluster(dataEndpoint: String) -> ControlSession.Ending {
        do throws(ZeroMQError) {
            let loop = try ControlLoop(
                configuration: configuration, incarnation: ProcessIdentity.newIncarnation(),
                dataEndpoint: dataEndpoint, logger: logger, inbox: control, compute: compute, sharing: sharing,
                usage: usage)
            return loop.run()
        } catch {
            return .failed(error.description)
        }
    }

    /// The compute thread.
    private func runCompute() {
        guard let address = address(configuration.dataEndpoint, option: "--data", waitingWith: compute.wake) else {
            return
        }
        let links: ZeroMQDataLinks
        do throws(ZeroMQError) {
            links = try ZeroMQDataLinks(
                node: configuration.name, clusterID: configuration.clusterID, binding: address.binding,
                advertisedHost: address.advertisedHost, limits: configuration.dataLinks,
                security: configuration.security, wake: [compute.wake])
        } catch {
            control.post(.broken(error.description))
            return
        }
        logger.info("data plane listens", metadata: ["endpoint": "\(links.endpoint)"])
        control.post(.listening(endpoint: links.endpoint))
        ComputeLoop(
            clusterID: configuration.clusterID, hostID: configuration.sharesMemory ? HostIdentity.current : "",
            security: configuration.security, links: links, logger: logger, inbox: compute, control: control,
            usage: usage, sharing: sharing, loader: loader, meter: meter
        ).run()
    }

    /// The thread that gives weights to other workers.
    private func runWeights() {
        // By default where the data plane is, as that is where others reach this machine.
        let endpoint = configuration.weightsEndpoint
        guard
            var address = address(
                endpoint ?? configuration.dataEndpoint, option: endpoint == nil ? "--data" : "--share",
                waitingWith: sharing.wake)
        else { return }
        if endpoint == nil { address.takeAnyPort() }
        sharing.serve(at: address, security: configuration.security)
    }

    /// Where a socket listens and is announced; nil if the worker was stopped before that was known.
    private func address(_ endpoint: String?, option: String, waitingWith wake: WakeSignal) -> DataAddress? {
        var hasLogged = false
        while !compute.isStopping {
            do throws(DataAddress.Problem) {
                return try DataAddress(
                    endpoint, option: option, coordinatorEndpoint: configuration.coordinatorEndpoint,
                    allowsAnyAddress: configuration.allowsPlainText || configuration.security != nil)
            } catch {
                if case .configuration(let problem) = error {
                    control.post(.broken(problem))
                    return nil
                }
                if HostPort(endpoint: configuration.coordinatorEndpoint) == nil {
                    control.post(
                        .broken(
                            "\(configuration.coordinatorEndpoint) is not a coordinator's endpoint; write it as "
                                + "tcp://HOST:PORT"))
                    return nil
                }
                // A network or name service that comes up after this worker.
                if !hasLogged {
                    logger.warning("no way to the coordinator yet", metadata: ["problem": "\(error)"])
                    hasLogged = true
                }
                wake.wait(timeout: .seconds(1))
            }
        }
        return nil
    }
}
