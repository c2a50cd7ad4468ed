import ClusterCore
import Testing
import Transport

@testable import OperatorTools

@Suite struct MeasurementTableTests {
    private static func node(_ name: String, _ rates: NodeRates?) -> NodeHealth {
        var node = NodeHealth(
            name: name, state: .ready, detail: "", processID: 1, cpu: "", instructionSet: "avx2", threadCount: 1,
            memoryUsedByteCount: 0, memoryFreeByteCount: 0, epoch: nil, stage: nil, rank: nil, firstLayer: nil,
            endLayer: nil,
            firstKeyValueHead: nil, endKeyValueHead: nil, keyValueTokenCount: 0, keyValueTokenCapacity: 0,
            secondsSinceHeartbeat: 0, roundTripMilliseconds: nil, tokensPerSecond: 0, droppedFrameCount: 0)
        node.rates = rates
        return node
    }

    private static func health(_ nodes: [NodeHealth], _ measuring: MeasuringHealth) -> ClusterHealth {
        var health = ClusterHealth(
            clusterID: "c", model: "m", state: .healthy, reason: "", epoch: 1, secondsSinceLastToken: nil,
            runningRequestCount: 0, queuedRequestCount: 0, queueLimit: 1, tokensPerSecond: 0, droppedFrameCount: 0,
            nodes: nodes)
        health.measuring = measuring
        return health
    }

    @Test func `what was measured is shown, what was not is not, and what is missing is told`() {
        let rates = NodeRates(
            ternary: KernelRates(bytesPerSecond: 13.5e9, multiplyAddsPerSecond: 190e9),
            other: KernelRates(bytesPerSecond: 17.8e9, multiplyAddsPerSecond: 112e9),
            attention: KernelRates(bytesPerSecond: 9.2e9, multiplyAddsPerSecond: 80e9), ternaryBitsPerWeight: 1.6,
            taskSeconds: 1e-6, layerSeconds: 5e-6, hostBytesPerSecond: 18.1e9, hostCoreCount: 2,
            memoryFreeByteCount: 24 << 30)
        func link(_ scale: Double) -> LinkMeasurement {
            LinkMeasurement(
                roundTrips: [
                    .init(byteCount: 64, seconds: 1e-4 * scale), .init(byteCount: 10240, seconds: 2e-4 * scale),
                    .init(byteCount: 1 << 20, seconds: 5e-3 * scale),
                ], bandwidthBytesPerSecond: 1e9 / scale)
        }
        let measuring = MeasuringHealth(
            pendingCount: 2, problems: ["the link a – c is not measured: c did not answer"],
            links: [
                .init(
                    first: "a", second: "b", sharesMemory: true,
                    link: MeasuredLink(sockets: link(1), memory: link(0.1)))
            ])
        let lines = MeasurementTable().lines(
            Self.health([Self.node("a", rates), Self.node("b", nil)], measuring))
        #expect(
            lines.joined(separator: "\n") == """
                MEASURED    TERNARY  GMAC/S      OTHER  GMAC/S  ATTENTION       HOST  CORES      FREE
                a         13.5 GB/s     190  17.8 GB/s     112  9.20 GB/s  18.1 GB/s      2  24.0 GiB
                LINK   OVER     RTT 64 B  RTT 10 KiB  RTT 1 MiB  BANDWIDTH
                a – b  sockets    100 µs      200 µs    5.00 ms  1.00 GB/s
                       memory    10.0 µs     20.0 µs     500 µs  10.0 GB/s
                the link a – c is not measured: c did not answer
                2 still to be measured
                """)
        #expect(MeasurementTable().lines(Self.health([Self.node("b", nil)], MeasuringHealth())).isEmpty)
    }
}
