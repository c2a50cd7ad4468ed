import Synchronization
import Transport
import ZeroMQ

/// What the control thread wants of the compute thread. Of what it is to hold only the last word counts: an older one
/// that has not been begun is of no use any more. Orders to measure come one at a time; of more than a few the oldest go.
final class ComputeInbox: Sendable {
    /// A stage to take over.
    struct Assignment: Sendable {
        var epoch: Epoch
        var stage: StageAssignment
        /// Where the last stage's results go.
        var results: Peer
        /// Who has the model's files; nil for nobody.
        var weights: Peer?
    }

    /// What is to become of the part that is held.
    enum PartOrder: Sendable {
        case assign(Assignment)
        /// To be loaded in advance, for whom it may concern in this epoch.
        case keepReady(StageAssignment, Epoch, weights: Peer?)
        /// None is to be held.
        case release
    }

    struct Contents: Sendable {
        var part: PartOrder?
        var orders: [(MeasurementOrder, Epoch)] = []
        var isStopping = false
    }

    static let orderLimit = 4

    let wake: WakeSignal
    private let contents = Mutex(Contents())

    init() throws(ZeroMQError) { wake = try WakeSignal() }

    func post(_ order: MeasurementOrder, _ epoch: Epoch) {
        contents.withLock { contents in
            if contents.orders.count >= Self.orderLimit { contents.orders.removeFirst() }
            contents.orders.append((order, epoch))
        }
        wake.signal()
    }

    /// In place of an order that has not been begun.
    func post(_ part: PartOrder) {
        contents.withLock { $0.part = part }
        wake.signal()
    }

    func stop() {
        contents.withLock { $0.isStopping = true }
        wake.signal()
    }

    var isStopping: Bool { contents.withLock { $0.isStopping } }

    /// Whether the stage that is computed is no longer wanted.
    var hasNews: Bool { contents.withLock { $0.isStopping || $0.part != nil } }

    /// Takes the oldest order to measure, if any.
    func takeOrder() -> (MeasurementOrder, Epoch)? {
        contents.withLock { $0.orders.isEmpty ? nil : $0.orders.removeFirst() }
    }

    /// Takes the order that waits, if any.
    func takePart() -> PartOrder? {
        contents.withLock { $0.part.take() }
    }
}

/// What the control thread is told: by the compute thread, and that it shall end.
final class ControlInbox: Sendable {
    /// Reports kept while the control thread does not get to them. Beyond, the oldest is dropped: it tells of the step
    /// that the coordinator has given up first.
    static let reportLimit = 64

    private struct Contents {
        var reports: [ComputeReport] = []
        var isStopping = false
    }

    let wake: WakeSignal
    private let contents = Mutex(Contents())

    init() throws(ZeroMQError) { wake = try WakeSignal() }

    func post(_ report: ComputeReport) {
        contents.withLock { contents in
            if contents.reports.count >= Self.reportLimit { contents.reports.removeFirst() }
            contents.reports.append(report)
        }
        wake.signal()
    }

    func stop() {
        contents.withLock { $0.isStopping = true }
        wake.signal()
    }

    var isStopping: Bool { contents.withLock { $0.isStopping } }

    /// Takes all reports, oldest first.
    func takeReports() -> [ComputeReport] {
        contents.withLock { contents in
            let reports = contents.reports
            contents.reports = []
            return reports
        }
    }
}
