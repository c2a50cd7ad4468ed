import CClusterProto
import Transport

extension EncodingArena {
    func order(_ order: MeasurementOrder) -> UnsafeMutablePointer<Ryz__V1__MeasurementOrder> {
        let message = make(ryz__v1__measurement_order__init)
        message.pointee.number = order.number
        switch order.task {
        case .node: break
        case .link(let peer):
            message.pointee.task_case = RYZ__V1__MEASUREMENT_ORDER__TASK_LINK
            message.pointee.link = self.peer(peer)
        case .answering(let peer):
            message.pointee.task_case = RYZ__V1__MEASUREMENT_ORDER__TASK_ANSWERING
            message.pointee.answering = self.peer(peer)
        }
        return message
    }

    func report(_ report: MeasurementReport) -> UnsafeMutablePointer<Ryz__V1__MeasurementReport> {
        let message = make(ryz__v1__measurement_report__init)
        message.pointee.number = report.number
        switch report.result {
        case .node(let rates):
            message.pointee.result_case = RYZ__V1__MEASUREMENT_REPORT__RESULT_NODE
            message.pointee.node = nodeRates(rates)
        case .link(let link, let node):
            message.pointee.result_case = RYZ__V1__MEASUREMENT_REPORT__RESULT_LINK
            message.pointee.link = measuredLink(link, to: node)
        case .answering:
            message.pointee.result_case = RYZ__V1__MEASUREMENT_REPORT__RESULT_ANSWERING
            message.pointee.answering = 1
        case .problem(let problem):
            message.pointee.result_case = RYZ__V1__MEASUREMENT_REPORT__RESULT_PROBLEM
            message.pointee.problem = string(problem)
        }
        return message
    }

    func probe(_ probe: LinkProbe) -> UnsafeMutablePointer<Ryz__V1__LinkProbe> {
        let message = make(ryz__v1__link_probe__init)
        message.pointee.order = probe.order
        message.pointee.round = probe.round
        message.pointee.kind =
            switch probe.kind {
            case .ping: RYZ__V1__LINK_PROBE_KIND__LINK_PROBE_KIND_PING
            case .pong: RYZ__V1__LINK_PROBE_KIND__LINK_PROBE_KIND_PONG
            case .burst: RYZ__V1__LINK_PROBE_KIND__LINK_PROBE_KIND_BURST
            case .burstEnd: RYZ__V1__LINK_PROBE_KIND__LINK_PROBE_KIND_BURST_END
            case .end: RYZ__V1__LINK_PROBE_KIND__LINK_PROBE_KIND_END
            case .memory: RYZ__V1__LINK_PROBE_KIND__LINK_PROBE_KIND_MEMORY
            }
        return message
    }

    private func nodeRates(_ rates: NodeRates) -> UnsafeMutablePointer<Ryz__V1__NodeRates> {
        let message = make(ryz__v1__node_rates__init)
        message.pointee.ternary = kernelRates(rates.ternary)
        message.pointee.other = kernelRates(rates.other)
        message.pointee.attention = kernelRates(rates.attention)
        message.pointee.ternary_bits_per_weight = rates.ternaryBitsPerWeight
        message.pointee.task_seconds = rates.taskSeconds
        message.pointee.layer_seconds = rates.layerSeconds
        message.pointee.host_bytes_per_second = rates.hostBytesPerSecond
        message.pointee.host_core_count = UInt32(rates.hostCoreCount)
        message.pointee.memory_free_byte_count = rates.memoryFreeByteCount
        return message
    }

    private func kernelRates(_ rates: KernelRates) -> UnsafeMutablePointer<Ryz__V1__KernelRates> {
        let message = make(ryz__v1__kernel_rates__init)
        message.pointee.bytes_per_second = rates.bytesPerSecond
        message.pointee.multiply_adds_per_second = rates.multiplyAddsPerSecond
        return message
    }

    private func measuredLink(
        _ link: MeasuredLink, to node: NodeID
    ) -> UnsafeMutablePointer<Ryz__V1__MeasuredLink> {
        let message = make(ryz__v1__measured_link__init)
        message.pointee.node = string(node.name)
        message.pointee.sockets = linkRates(link.sockets)
        message.pointee.memory = link.memory.map { linkRates($0) }
        return message
    }

    private func linkRates(_ link: LinkMeasurement) -> UnsafeMutablePointer<Ryz__V1__LinkRates> {
        let message = make(ryz__v1__link_rates__init)
        message.pointee.n_round_trips = link.roundTrips.count
        message.pointee.round_trips = messages(link.roundTrips) { trip in
            let message = make(ryz__v1__round_trip__init)
            message.pointee.byte_count = UInt64(trip.byteCount)
            message.pointee.seconds = trip.seconds
            return message
        }
        message.pointee.bandwidth_bytes_per_second = link.bandwidthBytesPerSecond
        message.pointee.message_seconds = link.messageSeconds
        return message
    }
}
