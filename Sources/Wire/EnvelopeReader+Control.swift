import CClusterProto
import Transport

extension EnvelopeReader {
    func hello(_ message: UnsafeMutablePointer<Ryz__V1__Hello>) throws(WireError) -> Hello {
        Hello(
            incarnation: message.pointee.incarnation,
            processID: message.pointee.process_id,
            hostName: try text(message.pointee.host_name, "hello.hostName"),
            cpuModel: try text(message.pointee.cpu_model, "hello.cpuModel"),
            instructionSet: try text(message.pointee.instruction_set, "hello.instructionSet"),
            threadCount: Int(message.pointee.thread_count),
            memoryByteCount: message.pointee.memory_byte_count,
            memoryFreeByteCount: message.pointee.memory_free_byte_count,
            dataEndpoint: try endpoint(message.pointee.data_endpoint, "hello.dataEndpoint"))
    }

    func heartbeat(_ message: UnsafeMutablePointer<Ryz__V1__Heartbeat>) throws(WireError) -> Heartbeat {
        let hasRoundTrip =
            message.pointee.round_trip_case == RYZ__V1__HEARTBEAT__ROUND_TRIP_ROUND_TRIP_NANOSECONDS
        return Heartbeat(
            number: message.pointee.number,
            memoryUsedByteCount: message.pointee.memory_used_byte_count,
            memoryFreeByteCount: message.pointee.memory_free_byte_count,
            keyValueTokenCount: try integer(message.pointee.key_value_token_count, "heartbeat.keyValueTokenCount"),
            keyValueTokenCapacity: try integer(
                message.pointee.key_value_token_capacity, "heartbeat.keyValueTokenCapacity"),
            computedTokenCount: message.pointee.computed_token_count,
            droppedFrameCount: message.pointee.dropped_frame_count,
            roundTrip: hasRoundTrip
                ? try duration(message.pointee.round_trip_nanoseconds, "heartbeat.roundTrip") : nil)
    }

    func ready(_ message: UnsafeMutablePointer<Ryz__V1__StageReady>) throws(WireError) -> StageReady {
        StageReady(
            weightsByteCount: message.pointee.weights_byte_count,
            keyValueTokenCapacity: try integer(
                message.pointee.key_value_token_capacity, "ready.keyValueTokenCapacity"))
    }

    func failure(_ message: UnsafeMutablePointer<Ryz__V1__WorkerFailure>) throws(WireError) -> WorkerFailure {
        let isStep = message.pointee.kind_case == RYZ__V1__WORKER_FAILURE__KIND_STEP
        return WorkerFailure(
            kind: isStep ? .step(StepID(message.pointee.step)) : .loading,
            message: try text(message.pointee.message, "failure.message"),
            isRetryable: message.pointee.is_retryable != 0)
    }

    func welcome(_ message: UnsafeMutablePointer<Ryz__V1__Welcome>) throws(WireError) -> Welcome {
        Welcome(
            heartbeatInterval: try duration(
                message.pointee.heartbeat_interval_nanoseconds, "welcome.heartbeatInterval"),
            dataEndpoint: try endpoint(message.pointee.data_endpoint, "welcome.dataEndpoint"))
    }

    func assignment(_ message: UnsafeMutablePointer<Ryz__V1__StageAssignment>) throws(WireError) -> StageAssignment {
        guard let file = message.pointee.model_file else {
            throw .invalid(field: "assignment.modelFile", problem: "is missing")
        }
        guard message.pointee.first_layer < message.pointee.end_layer else {
            throw .invalid(
                field: "assignment.layers",
                problem: "from \(message.pointee.first_layer) to before \(message.pointee.end_layer) holds no layer")
        }
        var next: Peer?
        if let peer = message.pointee.next {
            let name = try text(peer.pointee.node, "assignment.next.node", limit: 64)
            next = Peer(
                node: try node(name, "assignment.next.node"),
                dataEndpoint: try endpoint(peer.pointee.data_endpoint, "assignment.next.dataEndpoint"))
        }
        let previous = try text(message.pointee.previous_node, "assignment.previous", limit: 64)
        return StageAssignment(
            modelFile: ModelFileReference(
                path: try text(file.pointee.path, "assignment.modelFile.path"),
                byteCount: file.pointee.byte_count,
                headerDigest: try binary(
                    file.pointee.header_digest, "assignment.modelFile.headerDigest", byteCount: 32)),
            stage: Int(message.pointee.stage),
            stageCount: Int(message.pointee.stage_count),
            layers: Int(message.pointee.first_layer)..<Int(message.pointee.end_layer),
            next: next,
            previous: try node(previous, "assignment.previous"),
            contextLength: Int(message.pointee.context_length),
            keyValueTokenCapacity: try integer(
                message.pointee.key_value_token_capacity, "assignment.keyValueTokenCapacity"),
            maximumStepRowCount: Int(message.pointee.maximum_step_row_count),
            headPrecision: try headPrecision(message.pointee.head_precision))
    }

    /// Any number may have come: proto3's enumerations are open.
    private func headPrecision(_ value: Ryz__V1__HeadPrecision) throws(WireError) -> HeadPrecision {
        switch value {
        case RYZ__V1__HEAD_PRECISION__HEAD_PRECISION_AUTOMATIC: return .automatic
        case RYZ__V1__HEAD_PRECISION__HEAD_PRECISION_EIGHT_BIT: return .eightBit
        case RYZ__V1__HEAD_PRECISION__HEAD_PRECISION_STORED: return .stored
        default:
            throw .invalid(
                field: "assignment.headPrecision",
                problem: "\(value.rawValue) is none that is known here; install the same release on all machines")
        }
    }

    private func endpoint(
        _ pointer: UnsafeMutablePointer<CChar>?, _ field: String
    ) throws(WireError) -> String {
        try text(pointer, field, limit: limits.maximumEndpointByteCount)
    }
}
