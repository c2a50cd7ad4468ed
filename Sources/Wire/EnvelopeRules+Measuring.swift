import Transport

extension EnvelopeRules {
    func check(_ order: MeasurementOrder) throws(WireError) {
        switch order.task {
        case .node: break
        case .link(let peer): try check(peer, "measurementOrder.link")
        case .answering(let peer): try check(peer, "measurementOrder.answering")
        }
    }

    func check(_ report: MeasurementReport) throws(WireError) {
        switch report.result {
        case .node(let rates): try check(rates, "measurementReport.node")
        case .link(let link, _):
            try check(link.sockets, "measurementReport.link.sockets")
            if let memory = link.memory { try check(memory, "measurementReport.link.memory") }
        case .answering: break
        case .problem(let problem): try text(problem, "measurementReport.problem")
        }
    }

    private func check(_ rates: NodeRates, _ place: String) throws(WireError) {
        for (name, kernels) in [("ternary", rates.ternary), ("other", rates.other), ("attention", rates.attention)] {
            try rate(kernels.bytesPerSecond, "\(place).\(name).bytesPerSecond")
            try rate(kernels.multiplyAddsPerSecond, "\(place).\(name).multiplyAddsPerSecond")
        }
        try range(rates.ternaryBitsPerWeight, "\(place).ternaryBitsPerWeight", 1...32)
        try seconds(rates.taskSeconds, "\(place).taskSeconds")
        try seconds(rates.layerSeconds, "\(place).layerSeconds")
        try rate(rates.hostBytesPerSecond, "\(place).hostBytesPerSecond")
        try range(rates.hostCoreCount, "\(place).hostCoreCount", 1...limits.maximumThreadCount)
    }

    private func check(_ link: LinkMeasurement, _ place: String) throws(WireError) {
        try range(link.roundTrips.count, "\(place).roundTrips.count", 1...limits.maximumRoundTripCount)
        for trip in link.roundTrips {
            try range(trip.byteCount, "\(place).roundTrips.byteCount", 0...1 << 30)
            try seconds(trip.seconds, "\(place).roundTrips.seconds")
        }
        try rate(link.bandwidthBytesPerSecond, "\(place).bandwidthBytesPerSecond")
        try seconds(link.messageSeconds, "\(place).messageSeconds")
    }

    /// Bytes or multiply–adds a second: over 0, and within what any machine will do. Neither infinite nor a NaN.
    private func rate(_ value: Double, _ field: String) throws(WireError) {
        try range(value, field, 1...1e18)
    }

    private func seconds(_ value: Double, _ field: String) throws(WireError) {
        try range(value, field, 0...3600)
    }
}
