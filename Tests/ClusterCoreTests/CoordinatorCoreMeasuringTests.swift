import ClusterCore
import Testing
import Transport

/// What a coordinator's cores have two workers measure, a on connection 1 and b on connection 2.
struct CoordinatorCoreMeasuringTests {
    private var cluster: CoordinatorCoreTests
    private static let kernels = KernelRates(bytesPerSecond: 1e10, multiplyAddsPerSecond: 1e11)
    private static let rates = NodeRates(
        ternary: kernels, other: kernels, attention: kernels, ternaryBitsPerWeight: 2, taskSeconds: 1e-6,
        layerSeconds: 5e-6, hostBytesPerSecond: 2e10,
        hostCoreCount: 8, memoryFreeByteCount: 1 << 34)

    init() throws { cluster = try CoordinatorCoreTests() }

    private func orders(_ effects: [CoordinatorCore<Int>.Effect]) -> [(order: MeasurementOrder, connection: Int)] {
        effects.compactMap { effect in
            guard case .answer(let envelope, let connection) = effect, case .measurementOrder(let order) = envelope.body
            else { return nil }
            return (order, connection)
        }
    }

    private mutating func refusal() -> String? {
        do {
            _ = try cluster.core.requestMeasurement()
            return nil
        } catch {
            return error.description
        }
    }

    @Test mutating func `what a worker measured of itself is shown, and only taken over its connection`() throws {
        _ = cluster.serve()
        let report = Envelope.Body.measurementReport(MeasurementReport(number: 0, result: .node(Self.rates)))
        _ = cluster.core.handle(.control(cluster.from(a, report), from: 2), at: .zero)
        #expect(cluster.core.health(at: .zero).nodes.allSatisfy { $0.rates == nil })
        #expect(cluster.core.drops.count(.unknownSender) == 1)
        _ = cluster.hear(a, report, at: .zero)
        #expect(cluster.core.health(at: .zero).nodes.map(\.rates) == [Self.rates, nil])
        _ = cluster.hear(b, .measurementReport(MeasurementReport(number: 9, result: .answering)), at: .zero)
        #expect(cluster.core.drops.count(.unexpectedMessage) == 1)
        #expect(cluster.core.planningInput.missing.count == 2)
    }

    @Test mutating func `it is measured on request, in the current epoch, but not while anything is computed`() throws {
        #expect(refusal() == "no worker is there to measure; start one")
        let probe = try #require(cluster.step(cluster.serve()))
        _ = cluster.answer(probe, at: .zero)
        let request = GenerationRequest.prompt([1, 2], maximum: 1)
        let step = try #require(
            cluster.step(cluster.core.handle(.submitted(Ticket(1), .generation(request)), at: .zero)))
        #expect(refusal() == "1 requests run and 0 wait; measure when the cluster is idle")
        _ = cluster.answer(step, at: .zero)
        #expect(refusal() == nil)
        #expect(cluster.core.health(at: .zero).measuring.pendingCount == 3)
        let due = try #require(cluster.core.nextDeadline)
        #expect(due <= .seconds(0.5))
        let order = try #require(orders(cluster.core.handle(.tick, at: .seconds(0.5))).first)
        #expect(order.order == MeasurementOrder(number: 1, task: .node) && order.connection == 1)
        #expect(refusal() == "something is being measured; wait for its end")
        let next = cluster.hear(
            a, .measurementReport(MeasurementReport(number: 1, result: .node(Self.rates))), at: .seconds(0.6))
        #expect(orders(next).map(\.connection) == [2])
        #expect(cluster.core.health(at: .seconds(0.6)).measuring.pendingCount == 2)
    }

    @Test mutating func `nothing is measured while workers load`() {
        _ = cluster.hear(a, .hello(.from(a)), at: .zero)
        _ = cluster.hear(b, .hello(.from(b)), at: .zero)
        #expect(refusal() == "workers are loading; measure when they are ready")
    }
}
