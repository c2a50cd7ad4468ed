import CClusterProto
import Transport

extension EncodingArena {
    /// An envelope that `EnvelopeRules` has accepted.
    func envelope(_ envelope: Envelope) -> UnsafeMutablePointer<Ryz__V1__Envelope> {
        let message = make(ryz__v1__envelope__init)
        message.pointee.protocol_version = Envelope.protocolVersion
        message.pointee.cluster_id = string(envelope.clusterID)
        message.pointee.sender = string(envelope.sender.name)
        message.pointee.epoch = envelope.epoch.number
        switch envelope.body {
        case .hello(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_HELLO
            message.pointee.hello = hello(body)
        case .heartbeat(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_HEARTBEAT
            message.pointee.heartbeat = heartbeat(body)
        case .ready(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_READY
            message.pointee.ready = ready(body)
        case .failure(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_FAILURE
            message.pointee.failure = failure(body)
        case .leave(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_LEAVE
            message.pointee.leave = leave(body)
        case .measurementReport(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_MEASUREMENT_REPORT
            message.pointee.measurement_report = report(body)
        case .weightsOffer(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_WEIGHTS_OFFER
            message.pointee.weights_offer = weightsOffer(body)
        case .welcome(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_WELCOME
            message.pointee.welcome = welcome(body)
        case .heartbeatReply(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_HEARTBEAT_REPLY
            message.pointee.heartbeat_reply = heartbeatReply(body)
        case .assignment(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_ASSIGNMENT
            message.pointee.assignment = assignment(body)
        case .refusal(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_REFUSAL
            message.pointee.refusal = refusal(body)
        case .keyring(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_KEYRING
            message.pointee.keyring = keyring(body)
        case .weightsSources(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_WEIGHTS_SOURCES
            message.pointee.weights_sources = weightsSources(body)
        case .release:
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_RELEASE
            message.pointee.release = make(ryz__v1__release__init)
        case .standby(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_STANDBY
            message.pointee.standby = assignment(body)
        case .measurementOrder(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_MEASUREMENT_ORDER
            message.pointee.measurement_order = order(body)
        case .step(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_STEP
            message.pointee.step = step(body)
        case .stepResult(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_STEP_RESULT
            message.pointee.step_result = stepResult(body)
        case .exchange(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_EXCHANGE
            message.pointee.exchange = exchange(body)
        case .linkProbe(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_LINK_PROBE
            message.pointee.link_probe = probe(body)
        case .weightsRequest(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_WEIGHTS_REQUEST
            message.pointee.weights_request = weightsRequest(body)
        case .weightsReply(let body):
            message.pointee.body_case = RYZ__V1__ENVELOPE__BODY_WEIGHTS_REPLY
            message.pointee.weights_reply = weightsReply(body)
        }
        return message
    }

    private func hello(_ hello: Hello) -> UnsafeMutablePointer<Ryz__V1__Hello> {
        let message = make(ryz__v1__hello__init)
        message.pointee.incarnation = hello.incarnation
        message.pointee.process_id = hello.processID
        message.pointee.host_name = string(hello.hostName)
        message.pointee.host_id = string(hello.hostID)
        message.pointee.cpu_model = string(hello.cpuModel)
        message.pointee.instruction_set = string(hello.instructionSet)
        message.pointee.thread_count = UInt32(hello.threadCount)
        message.pointee.memory_byte_count = hello.memoryByteCount
        message.pointee.memory_free_byte_count = hello.memoryFreeByteCount
        message.pointee.data_endpoint = string(hello.dataEndpoint)
        message.pointee.held_part = hello.heldPart
        return message
    }

    private func heartbeat(_ heartbeat: Heartbeat) -> UnsafeMutablePointer<Ryz__V1__Heartbeat> {
        let message = make(ryz__v1__heartbeat__init)
        message.pointee.number = heartbeat.number
        message.pointee.memory_used_byte_count = heartbeat.memoryUsedByteCount
        message.pointee.memory_free_byte_count = heartbeat.memoryFreeByteCount
        message.pointee.key_value_token_count = UInt64(heartbeat.keyValueTokenCount)
        message.pointee.key_value_token_capacity = UInt64(heartbeat.keyValueTokenCapacity)
        message.pointee.computed_token_count = heartbeat.computedTokenCount
        message.pointee.dropped_frame_count = heartbeat.droppedFrameCount
        message.pointee.held_part = heartbeat.heldPart
        if let roundTrip = heartbeat.roundTrip {
            message.pointee.round_trip_case = RYZ__V1__HEARTBEAT__ROUND_TRIP_ROUND_TRIP_NANOSECONDS
            message.pointee.round_trip_nanoseconds = UInt64(roundTrip.wholeNanoseconds)
        }
        message.pointee.fetched_byte_count = heartbeat.fetchedByteCount
        message.pointee.fetched_from_workers_byte_count = heartbeat.fetchedFromWorkersByteCount
        message.pointee.loading = heartbeat.loading.map(loadingProgress)
        return message
    }

    private func ready(_ ready: StageReady) -> UnsafeMutablePointer<Ryz__V1__StageReady> {
        let message = make(ryz__v1__stage_ready__init)
        message.pointee.weights_byte_count = ready.weightsByteCount
        message.pointee.key_value_token_capacity = UInt64(ready.keyValueTokenCapacity)
        return message
    }

    private func failure(_ failure: WorkerFailure) -> UnsafeMutablePointer<Ryz__V1__WorkerFailure> {
        let message = make(ryz__v1__worker_failure__init)
        switch failure.kind {
        case .loading: break
        case .step(let id):
            message.pointee.kind_case = RYZ__V1__WORKER_FAILURE__KIND_STEP
            message.pointee.step = id.number
        case .exchange(let id, let node):
            let exchange = make(ryz__v1__failed_exchange__init)
            exchange.pointee.step = id.number
            exchange.pointee.node = string(node.name)
            message.pointee.kind_case = RYZ__V1__WORKER_FAILURE__KIND_EXCHANGE
            message.pointee.exchange = exchange
        }
        message.pointee.message = string(failure.message)
        message.pointee.is_retryable = failure.isRetryable ? 1 : 0
        return message
    }

    private func leave(_ leave: Leave) -> UnsafeMutablePointer<Ryz__V1__Leave> {
        let message = make(ryz__v1__leave__init)
        message.pointee.reason = string(leave.reason)
        return message
    }

    private func welcome(_ welcome: Welcome) -> UnsafeMutablePointer<Ryz__V1__Welcome> {
        let message = make(ryz__v1__welcome__init)
        message.pointee.heartbeat_interval_nanoseconds = UInt64(welcome.heartbeatInterval.wholeNanoseconds)
        message.pointee.data_endpoint = string(welcome.dataEndpoint)
        message.pointee.weights_endpoint = string(welcome.weightsEndpoint)
        return message
    }

    private func heartbeatReply(_ reply: HeartbeatReply) -> UnsafeMutablePointer<Ryz__V1__HeartbeatReply> {
        let message = make(ryz__v1__heartbeat_reply__init)
        message.pointee.number = reply.number
        return message
    }

    private func refusal(_ refusal: Refusal) -> UnsafeMutablePointer<Ryz__V1__Refusal> {
        let message = make(ryz__v1__refusal__init)
        message.pointee.reason = string(refusal.reason)
        return message
    }

    private func keyring(_ keyring: Keyring) -> UnsafeMutablePointer<Ryz__V1__Keyring> {
        let message = make(ryz__v1__keyring__init)
        message.pointee.n_keys = keyring.keys.count
        message.pointee.keys = messages(keyring.keys, nodeKey)
        return message
    }

    private func nodeKey(_ key: NodeKey) -> UnsafeMutablePointer<Ryz__V1__NodeKey> {
        let message = make(ryz__v1__node_key__init)
        message.pointee.node = string(key.node.name)
        message.pointee.public_key = string(key.publicKey.text)
        return message
    }

    func loadingProgress(_ progress: LoadingProgress) -> UnsafeMutablePointer<Ryz__V1__LoadingProgress> {
        let message = make(ryz__v1__loading_progress__init)
        message.pointee.done_byte_count = progress.doneByteCount
        message.pointee.byte_count = progress.byteCount
        return message
    }
}
