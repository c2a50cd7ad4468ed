import ClusterCore
import Dispatch
import Foundation
import Logging
import Synchronization
import Transport
import WeightTransfer
import ZeroMQ

/// Starts the coordinator's threads and waits until both have bound their endpoints.
struct Launch {
    let mailbox: Mailbox
    /// The reason if the sockets failed; nil after a stop.
    let ended = Reply<String?>()
    private let control: ControlPlane
    private let configuration: ClusterConfiguration
    private let model: CoordinatedModel
    private let firstEpoch: Epoch
    private let security: NodeSecurity?
    private let logger: Logger
    /// Serves the model's files; nil if nobody is to have them.
    private let weights: WeightsServer?

    struct Running {
        var threads: [OwnedThread]
        var controlEndpoint: String
        var dataEndpoint: String
    }

    init(
        configuration: ClusterConfiguration, model: CoordinatedModel, firstEpoch: Epoch, weights: WeightsServer?,
        security: NodeSecurity?, logger: Logger
    ) throws(ZeroMQError) {
        mailbox = try Mailbox()
        control = try ControlPlane(mailbox: mailbox, security: security, logger: logger)
        self.security = security
        self.configuration = configuration
        self.model = model
        self.firstEpoch = firstEpoch
        self.weights = weights
        self.logger = logger
    }

    /// - Throws: `CoordinatorError` if a thread cannot be had or an endpoint not be bound; nothing runs then.
    func start(status: StatusBoard, timeout: Duration) throws(CoordinatorError) -> Running {
        do throws(CoordinatorError) {
            let served = try serveWeights(timeout)
            let data = Handover<Result<String, CoordinatorError>>()
            let loop = try thread("ryz-coordinate") { [self] in
                runLoop(status: status, weightsEndpoint: served?.endpoint ?? "", started: data.give)
            }
            let dataEndpoint = try bound(data, timeout)
            let controlled = Handover<Result<String, CoordinatorError>>()
            let pump = try thread("ryz-control") { [control, configuration] in
                control.run(binding: configuration.controlEndpoint) { result in
                    controlled.give(result.mapError { .system("control: \($0)") })
                }
            }
            let controlEndpoint = try bound(controlled, timeout)
            return Running(
                threads: [loop, pump] + (served.map { [$0.thread] } ?? []), controlEndpoint: controlEndpoint,
                dataEndpoint: dataEndpoint)
        } catch {
            mailbox.stop()
            control.stop()
            weights?.stop()
            throw error
        }
    }

    private func serveWeights(
        _ timeout: Duration
    ) throws(CoordinatorError) -> (thread: OwnedThread, endpoint: String)? {
        guard let weights else { return nil }
        let bound = Handover<Result<String, CoordinatorError>>()
        let thread = try thread("ryz-weights") { [configuration, security] in
            weights.run(
                binding: configuration.boundWeightsEndpoint, advertisedHost: configuration.advertisedHost,
                security: security
            ) { result in bound.give(result.mapError { .system("weights: \($0)") }) }
        }
        return (thread, try self.bound(bound, timeout))
    }

    private func runLoop(
        status: StatusBoard, weightsEndpoint: String, started: (Result<String, CoordinatorError>) -> Void
    ) {
        do throws(CoordinatorError) {
            let links = try dataLinks()
            let journal = try journal()
            // With the journal, epochs grow even if the clock was set back.
            var coordination = try configuration.coordination(
                of: model, dataEndpoint: links.endpoint, weightsEndpoint: weightsEndpoint,
                firstEpoch: journal.firstEpoch)
            coordination.placement.drained = journal.drained
            let core: CoordinatorCore<ConnectionID>
            do throws(PlanningError) {
                core = try CoordinatorCore(configuration: coordination)
            } catch {
                throw .planning(error)
            }
            let loop = CoordinatorLoop(
                core: core, links: links, mailbox: mailbox, control: control, weights: weights,
                security: security, status: status, journal: journal, logger: logger)
            started(.success(links.endpoint))
            let failure = loop.run()
            weights?.stop()
            ended.answer(failure)
        } catch {
            started(.failure(error))
        }
    }

    private func journal() throws(CoordinatorError) -> RequestJournal {
        do throws(JournalProblem) {
            var disk: JournalDisk?
            if let folder = configuration.stateFolder { disk = try JournalDisk(folder: folder) }
            return try RequestJournal(
                storage: disk, model: configuration.identity(of: model),
                limits: .init(
                    keepSeconds: Int(configuration.streamKeeping.secondCount),
                    streamCount: configuration.keptStreamCount),
                clockEpoch: firstEpoch, now: { Int(Date().timeIntervalSince1970) }
            ) { [logger] notice in notice.log(to: logger) }
        } catch {
            throw .system("state: \(error)")
        }
    }

    private func dataLinks() throws(CoordinatorError) -> ZeroMQDataLinks {
        var limits = DataLinkLimits()
        // Steps are small and at most one more than there are stages: none should wait for room.
        limits.sendQueueLength = 512
        limits.maximumPayloadByteCount = 1 << 20
        do throws(ZeroMQError) {
            return try ZeroMQDataLinks(
                node: .coordinator, clusterID: configuration.clusterID, binding: configuration.boundDataEndpoint,
                advertisedHost: configuration.advertisedHost, limits: limits, security: security,
                wake: [mailbox.wake])
        } catch {
            throw .system("data: \(error)")
        }
    }

    private func thread(
        _ name: String, _ body: @escaping @Sendable () -> Void
    ) throws(CoordinatorError) -> OwnedThread {
        do throws(ZeroMQError) {
            return try OwnedThread.start(name: name, body)
        } catch {
            throw .system(error.description)
        }
    }

    private func bound(
        _ handover: Handover<Result<String, CoordinatorError>>, _ timeout: Duration
    ) throws(CoordinatorError) -> String {
        guard let result = handover.take(within: timeout) else {
            throw .system("an endpoint was not bound within \(timeout.plainSeconds) s; try again")
        }
        return try result.get()
    }
}

/// One value from a thread that starts to the one that waits for it.
final class Handover<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let given = DispatchSemaphore(value: 0)

    func give(_ value: Value) {
        self.value.withLock { $0 = value }
        given.signal()
    }

    func take(within timeout: Duration) -> Value? {
        guard given.wait(timeout: .now() + timeout.secondCount) == .success else { return nil }
        return value.withLock(\.self)
    }
}
