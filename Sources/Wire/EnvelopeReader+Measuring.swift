import CClusterProto
import Transport

extension EnvelopeReader {
    func order(_ message: UnsafeMutablePointer<Ryz__V1__MeasurementOrder>) throws(WireError) -> MeasurementOrder {
        let task: MeasurementOrder.Task =
            switch message.pointee.task_case {
            case RYZ__V1__MEASUREMENT_ORDER__TASK_LINK:
                .link(try peer(try present(message.pointee.link), "measurementOrder.link"))
            case RYZ__V1__MEASUREMENT_ORDER__TASK_ANSWERING:
                .answering(try peer(try present(message.pointee.answering), "measurementOrder.answering"))
            default: .node
            }
        return MeasurementOrder(number: message.pointee.number, task: task)
    }

    func report(_ message: UnsafeMutablePointer<Ryz__V1__MeasurementReport>) throws(WireError) -> MeasurementReport {
        let result: MeasurementReport.Result =
            switch message.pointee.result_case {
            case RYZ__V1__MEASUREMENT_REPORT__RESULT_NODE: .node(try nodeRates(try present(message.pointee.node)))
            case RYZ__V1__MEASUREMENT_REPORT__RESULT_LINK: try measuredLink(try present(message.pointee.link))
            case RYZ__V1__MEASUREMENT_REPORT__RESULT_ANSWERING: .answering
            case RYZ__V1__MEASUREMENT_REPORT__RESULT_PROBLEM:
                .problem(try text(message.pointee.problem, "measurementReport.problem"))
            default: throw .invalid(field: "measurementReport", problem: "has no result")
            }
        return MeasurementReport(number: message.pointee.number, result: result)
    }

    func probe(_ message: UnsafeMutablePointer<Ryz__V1__LinkProbe>) throws(WireError) -> LinkProbe {
        let kind: LinkProbe.Kind =
            switch message.pointee.kind {
            case RYZ__V1__LINK_PROBE_KIND__LINK_PROBE_KIND_PING: .ping
            case RYZ__V1__LINK_PROBE_KIND__LINK_PROBE_KIND_PONG: .pong
            case RYZ__V1__LINK_PROBE_KIND__LINK_PROBE_KIND_BURST: .burst
            case RYZ__V1__LINK_PROBE_KIND__LINK_PROBE_KIND_BURST_END: .burstEnd
            case RYZ__V1__LINK_PROBE_KIND__LINK_PROBE_KIND_END: .end
            case RYZ__V1__LINK_PROBE_KIND__LINK_PROBE_KIND_MEMORY: .memory
            default: throw unknown(message.pointee.kind.rawValue, "linkProbe.kind")
            }
        return LinkProbe(order: message.pointee.order, kind: kind, round: message.pointee.round)
    }

    private func nodeRates(_ message: UnsafeMutablePointer<Ryz__V1__NodeRates>) throws(WireError) -> NodeRates {
        guard let ternary = message.pointee.ternary, let other = message.pointee.other else {
            throw .invalid(field: "measurementReport.node", problem: "has no rates of ternary or of other weights")
        }
        return NodeRates(
            ternary: kernelRates(ternary), other: kernelRates(other),
            // Older workers do not measure it.
            attention: kernelRates(message.pointee.attention ?? other),
            ternaryBitsPerWeight: message.pointee.ternary_bits_per_weight, taskSeconds: message.pointee.task_seconds,
            layerSeconds: message.pointee.layer_seconds,
            hostBytesPerSecond: message.pointee.host_bytes_per_second,
            hostCoreCount: Int(message.pointee.host_core_count),
            memoryFreeByteCount: message.pointee.memory_free_byte_count)
    }

    private func kernelRates(_ message: UnsafeMutablePointer<Ryz__V1__KernelRates>) -> KernelRates {
        KernelRates(
            bytesPerSecond: message.pointee.bytes_per_second,
            multiplyAddsPerSecond: message.pointee.multiply_adds_per_second)
    }

    private func measuredLink(
        _ message: UnsafeMutablePointer<Ryz__V1__MeasuredLink>
    ) throws(WireError) -> MeasurementReport.Result {
        let place = "measurementReport.link"
        let name = try text(message.pointee.node, "\(place).node", limit: 64)
        guard let sockets = message.pointee.sockets else {
            throw .invalid(field: place, problem: "has no rates of sockets")
        }
        var link = MeasuredLink(sockets: try linkRates(sockets, "\(place).sockets"))
        if let memory = message.pointee.memory { link.memory = try linkRates(memory, "\(place).memory") }
        return .link(link, to: try node(name, "\(place).node"))
    }

    private func linkRates(
        _ message: UnsafeMutablePointer<Ryz__V1__LinkRates>, _ place: String
    ) throws(WireError) -> LinkMeasurement {
        let trips = try values(
            message.pointee.round_trips, message.pointee.n_round_trips, "\(place).roundTrips",
            limit: limits.maximumRoundTripCount
        ) { (trip, place) throws(WireError) in
            LinkMeasurement.RoundTrip(
                byteCount: try integer(trip.pointee.byte_count, "\(place).byteCount"), seconds: trip.pointee.seconds)
        }
        return LinkMeasurement(
            roundTrips: trips, bandwidthBytesPerSecond: message.pointee.bandwidth_bytes_per_second,
            messageSeconds: message.pointee.message_seconds)
    }
}
