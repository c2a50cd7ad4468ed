import Transport

/// What values an envelope may have, for those that this node sends as for those that it takes.
struct EnvelopeRules {
    let limits: WireLimits

    func check(_ envelope: Envelope) throws(WireError) {
        try text(envelope.clusterID, "clusterID", 1...limits.maximumClusterIDByteCount)
        switch envelope.body {
        case .hello(let body): try check(body)
        case .heartbeat(let body): try check(body)
        case .ready(let body):
            try range(body.keyValueTokenCapacity, "ready.keyValueTokenCapacity", 0...limits.maximumKeyValueTokenCount)
        case .failure(let body): try text(body.message, "failure.message")
        case .leave(let body): try text(body.reason, "leave.reason")
        case .measurementReport(let body): try check(body)
        case .weightsOffer(let body): try check(body)
        case .weightsSources(let body): try check(body)
        case .welcome(let body):
            try range(body.heartbeatInterval, "welcome.heartbeatInterval", .milliseconds(10) ... .seconds(3600))
            try endpoint(body.dataEndpoint, "welcome.dataEndpoint")
            if !body.weightsEndpoint.isEmpty { try endpoint(body.weightsEndpoint, "welcome.weightsEndpoint") }
        case .heartbeatReply, .release: break
        case .assignment(let body), .standby(let body): try check(body)
        case .refusal(let body): try text(body.reason, "refusal.reason")
        case .keyring(let body): try count(body.keys.count, "keyring.keys", limit: limits.maximumKeyCount)
        case .measurementOrder(let body): try check(body)
        case .step(let body): try check(body)
        case .stepResult(let body): try check(body)
        case .exchange, .linkProbe: break
        case .weightsRequest(let body): try check(body)
        case .weightsReply(let body): try check(body)
        }
    }

    private func check(_ hello: Hello) throws(WireError) {
        try text(hello.hostName, "hello.hostName")
        try hostID(hello.hostID, "hello.hostID")
        try text(hello.cpuModel, "hello.cpuModel")
        try text(hello.instructionSet, "hello.instructionSet")
        try range(hello.threadCount, "hello.threadCount", 0...limits.maximumThreadCount)
        try endpoint(hello.dataEndpoint, "hello.dataEndpoint")
    }

    private func check(_ heartbeat: Heartbeat) throws(WireError) {
        let tokens = 0...limits.maximumKeyValueTokenCount
        try range(heartbeat.keyValueTokenCount, "heartbeat.keyValueTokenCount", tokens)
        try range(heartbeat.keyValueTokenCapacity, "heartbeat.keyValueTokenCapacity", tokens)
        if let roundTrip = heartbeat.roundTrip {
            try range(roundTrip, "heartbeat.roundTrip", .zero ... .seconds(86400))
        }
        if let loading = heartbeat.loading {
            try range(loading.doneByteCount, "heartbeat.loading.doneByteCount", 0...loading.byteCount)
        }
    }

    func range<Value: Comparable>(
        _ value: Value, _ field: String, _ allowed: ClosedRange<Value>
    ) throws(WireError) {
        guard allowed.contains(value) else {
            throw .invalid(
                field: field, problem: "\(value) is not between \(allowed.lowerBound) and \(allowed.upperBound)")
        }
    }

    func count(_ count: Int, _ field: String, limit: Int) throws(WireError) {
        guard count <= limit else {
            throw .invalid(field: field, problem: "has \(count) entries; at most \(limit) are taken")
        }
    }

    func digest(_ bytes: [UInt8], _ field: String) throws(WireError) {
        guard bytes.count == 32 else {
            throw .invalid(field: field, problem: "has \(bytes.count) bytes instead of 32")
        }
    }

    func hostID(_ text: String, _ field: String) throws(WireError) {
        try self.text(text, field, 0...limits.maximumHostIDByteCount)
        guard text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw .invalid(field: field, problem: "contains what is not printable ASCII")
        }
    }

    func endpoint(_ text: String, _ field: String) throws(WireError) {
        try self.text(text, field, 1...limits.maximumEndpointByteCount)
    }

    func text(_ text: String, _ field: String, _ allowed: ClosedRange<Int>? = nil) throws(WireError) {
        let allowed = allowed ?? 0...limits.maximumTextByteCount
        guard allowed.contains(text.utf8.count) else {
            throw .invalid(
                field: field,
                problem: "has \(text.utf8.count) bytes instead of \(allowed.lowerBound) to \(allowed.upperBound)")
        }
        // protobuf-c's strings end at the first NUL.
        guard !text.utf8.contains(0) else { throw .invalid(field: field, problem: "contains a NUL") }
    }
}
