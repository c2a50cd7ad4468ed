import ClusterCore
import Foundation
import HTTPTypes
import Hummingbird
import Logging

extension API {
    /// Generates an answer and writes it, as a stream of events or in one piece.
    func write(_ answer: AnswerDescription, streams: Bool, _ context: ConnectionContext) async throws -> Response {
        guard streams else { return try await whole(answer, interruptions(context)) }
        engine.keep(KeptStream(id: answer.identity.id, description: try answer.text))
        return try await stream(
            answer, from: StreamPosition(choiceCount: answer.plan.choices.count), interruptions(context))
    }

    private func whole(_ answer: AnswerDescription, _ interruptions: Interruptions) async throws -> Response {
        let plan = answer.plan
        var session = GenerationSession(
            plan, engine: engine, codec: codec, interruptions: interruptions,
            concurrentChoiceLimit: limits.choiceCount)
        var choices = Array(repeating: ChoiceDelta(), count: plan.choices.count)
        try await session.run { report in
            guard case .delta(let choice, let delta, _) = report else { return }
            choices[choice].text += delta.text
            choices[choice].tokens += delta.tokens
            choices[choice].finishReason = delta.finishReason
        }
        let usage = session.usage
        log(plan, usage)
        return Response(
            status: .ok, headers: headers(plan, contentType: "application/json"),
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: try answer.format(codec).body(choices, usage))))
    }

    /// Writes a kept stream from what the client has of it.
    func stream(
        _ answer: AnswerDescription, from start: StreamPosition, _ interruptions: Interruptions
    ) async throws -> Response {
        let plan = answer.plan
        let format = answer.format(codec)
        let interval = limits.keepAliveInterval
        let isOver = start.isComplete && (start.hasUsage || !answer.includesUsage)
        let head =
            isOver
            ? nil
            : try await GenerationSession.begin(
                plan, engine: engine, interruptions: interruptions, patience: interval)
        let body = ResponseBody { writer in
            var position = start
            var session = GenerationSession(
                plan, engine: engine, codec: codec, interruptions: interruptions,
                concurrentChoiceLimit: limits.choiceCount, from: start)
            func identified(_ event: ByteBuffer) -> ByteBuffer {
                ResponseJSON.event(event, id: position.eventID(of: plan.id))
            }
            do {
                if !isOver {
                    try await session.run(continuing: head, quietInterval: interval) { report in
                        switch report {
                        case .quiet: try await writer.write(ResponseJSON.keepAlive)
                        case .delta(let choice, let delta, let tokenCount):
                            var event = ByteBuffer()
                            if position.choices[choice] == nil, let opening = try format.opening(choice: choice) {
                                position.choices[choice] = StreamPosition.Choice()
                                event = identified(opening)
                            }
                            position.choices[choice] = .init(
                                tokenCount: tokenCount, hasEnded: delta.finishReason != nil)
                            event.writeImmutableBuffer(identified(try format.event(choice: choice, delta)))
                            try await writer.write(event)
                        }
                    }
                    let usage = session.usage
                    if answer.includesUsage {
                        position.hasUsage = true
                        try await writer.write(identified(try format.event(usage)))
                    }
                    log(plan, usage)
                }
            } catch let error where error is GenerationError || error is APIError {
                logger.warning("stream failed", metadata: ["request": "\(plan.id)", "error": "\(error)"])
                try await writer.write(try ResponseJSON.event(ErrorBody(ErrorAnswer(error))))
            }
            try await writer.write(ResponseJSON.endOfEvents)
            try await writer.finish(nil)
        }
        var headers = headers(plan, contentType: "text/event-stream; charset=utf-8")
        headers[.cacheControl] = "no-cache"
        // Asks nginx not to collect events before it passes them on.
        if let name = HTTPField.Name("X-Accel-Buffering") { headers[name] = "no" }
        return Response(status: .ok, headers: headers, body: body)
    }

    private func headers(_ plan: GenerationPlan, contentType: String) -> HTTPFields {
        var headers: HTTPFields = [.contentType: contentType]
        if let name = HTTPField.Name("X-Request-ID") { headers[name] = plan.id }
        return headers
    }

    private func log(_ plan: GenerationPlan, _ usage: Usage) {
        logger.info(
            "request answered",
            metadata: [
                "request": "\(plan.id)", "promptTokens": "\(usage.promptTokens)",
                "completionTokens": "\(usage.completionTokens)", "cachedTokens": "\(usage.cachedTokens)",
            ])
    }
}
