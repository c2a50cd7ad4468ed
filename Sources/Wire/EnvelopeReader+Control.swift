import CClusterProto
import Transport

extension EnvelopeReader {
    func hello(_ message: UnsafeMutablePointer<Ryz__V1__Hello>) throws(WireError) -> Hello {
        Hello(
            incarnation: message.pointee.incarnation,
            processID: message.pointee.process_id,
            hostName: try text(message.pointee.host_name, "hello.hostName"),
            hostID: try text(message.pointee.host_id, "hello.hostID", limit: limits.maximumHostIDByteCount),
            cpuModel: try text(message.pointee.cpu_model, "hello.cpuModel"),
            instructionSet: try text(message.pointee.instruction_set, "hello.instructionSet"),
            threadCount: Int(message.pointee.thread_count),
            memoryByteCount: message.pointee.memory_byte_count,
            memoryFreeByteCount: message.pointee.memory_free_byte_count,
            dataEndpoint: try endpoint(message.pointee.data_endpoint, "hello.dataEndpoint"),
            heldPart: message.pointee.held_part)
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
                ? try duration(message.pointee.round_trip_nanoseconds, "heartbeat.roundTrip") : nil,
            heldPart: message.pointee.held_part,
            fetchedByteCount: message.pointee.fetched_byte_count,
            fetchedFromWorkersByteCount: message.pointee.fetched_from_workers_byte_count,
            loading: message.pointee.loading.map(loadingProgress))
    }

    func loadingProgress(_ message: UnsafeMutablePointer<Ryz__V1__LoadingProgress>) -> LoadingProgress {
        LoadingProgress(doneByteCount: message.pointee.done_byte_count, byteCount: message.pointee.byte_count)
    }

    func ready(_ message: UnsafeMutablePointer<Ryz__V1__StageReady>) throws(WireError) -> StageReady {
        StageReady(
            weightsByteCount: message.pointee.weights_byte_count,
            keyValueTokenCapacity: try integer(
                message.pointee.key_value_token_capacity, "ready.keyValueTokenCapacity"))
    }

    func failure(_ message: UnsafeMutablePointer<Ryz__V1__WorkerFailure>) throws(WireError) -> WorkerFailure {
        WorkerFailure(
            kind: try failureKind(message),
            message: try text(message.pointee.message, "failure.message"),
            isRetryable: message.pointee.is_retryable != 0)
    }

    private func failureKind(
        _ message: UnsafeMutablePointer<Ryz__V1__WorkerFailure>
    ) throws(WireError) -> WorkerFailure.Kind {
        switch message.pointee.kind_case {
        case RYZ__V1__WORKER_FAILURE__KIND_STEP: return .step(StepID(message.pointee.step))
        case RYZ__V1__WORKER_FAILURE__KIND_EXCHANGE:
            let exchange = try present(message.pointee.exchange)
            let field = "failure.exchange.node"
            let name = try text(exchange.pointee.node, field, limit: 64)
            return .exchange(StepID(exchange.pointee.step), with: try node(name, field))
        default: return .loading
        }
    }

    func welcome(_ message: UnsafeMutablePointer<Ryz__V1__Welcome>) throws(WireError) -> Welcome {
        Welcome(
            heartbeatInterval: try duration(
                message.pointee.heartbeat_interval_nanoseconds, "welcome.heartbeatInterval"),
            dataEndpoint: try endpoint(message.pointee.data_endpoint, "welcome.dataEndpoint"),
            weightsEndpoint: try endpoint(message.pointee.weights_endpoint, "welcome.weightsEndpoint"))
    }

    func keyring(_ message: UnsafeMutablePointer<Ryz__V1__Keyring>) throws(WireError) -> Keyring {
        Keyring(
            keys: try values(
                message.pointee.keys, message.pointee.n_keys, "keyring.keys", limit: limits.maximumKeyCount, nodeKey))
    }

    private func nodeKey(
        _ message: UnsafeMutablePointer<Ryz__V1__NodeKey>, _ field: String
    ) throws(WireError) -> NodeKey {
        let name = try text(message.pointee.node, "\(field).node", limit: 64)
        guard let key = PublicKey(try text(message.pointee.public_key, "\(field).publicKey", limit: 40)) else {
            throw .invalid(field: "\(field).publicKey", problem: "is not a key in Z85")
        }
        return NodeKey(node: try node(name, "\(field).node"), publicKey: key)
    }

    func endpoint(
        _ pointer: UnsafeMutablePointer<CChar>?, _ field: String
    ) throws(WireError) -> String {
        try text(pointer, field, limit: limits.maximumEndpointByteCount)
    }
}
