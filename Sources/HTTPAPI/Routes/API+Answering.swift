import ClusterCore
import Foundation
import HTTPTypes
import Hummingbird
import Logging

extension API {
    /// Runs a plan and answers with it, as a stream of events or in one piece.
    func answer(
        _ plan: GenerationPlan, as format: some CompletionFormat, streams: Bool, includesUsage: Bool,
        _ context: ConnectionContext
    ) async throws -> Response {
        let interruptions = interruptions(context)
        let session = GenerationSession(
            plan, engine: engine, codec: codec, interruptions: interruptions,
            concurrentChoiceLimit: limits.choiceCount)
        return streams
            ? try await stream(plan, session, as: format, includesUsage: includesUsage, interruptions)
            : try await whole(plan, session, as: format)
    }

    private func whole(
        _ plan: GenerationPlan, _ session: GenerationSession, as format: some CompletionFormat
    ) async throws -> Response {
        var session = session
        var choices = Array(repeating: ChoiceDelta(), count: plan.choices.count)
        try await session.run { report in
            guard case .delta(let choice, let delta) = report else { return }
            choices[choice].text += delta.text
            choices[choice].tokens += delta.tokens
            choices[choice].finishReason = delta.finishReason
        }
        let usage = Usage(promptTokens: plan.promptTokenCount, completionTokens: session.completionTokenCount)
        log(plan, usage)
        return Response(
            status: .ok, headers: headers(plan, contentType: "application/json"),
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: try format.body(choices, usage))))
    }

    private func stream(
        _ plan: GenerationPlan, _ session: GenerationSession, as format: some CompletionFormat, includesUsage: Bool,
        _ interruptions: Interruptions
    ) async throws -> Response {
        let interval = limits.keepAliveInterval
        let head = try await GenerationSession.begin(
            plan, engine: engine, interruptions: interruptions, patience: interval)
        let body = ResponseBody { writer in
            var session = session
            var hasOpened = Array(repeating: false, count: plan.choices.count)
            do {
                try await session.run(continuing: head, quietInterval: interval) { report in
                    switch report {
                    case .quiet: try await writer.write(ResponseJSON.keepAlive)
                    case .delta(let choice, let delta):
                        var event = ByteBuffer()
                        if !hasOpened[choice], let opening = try format.opening(choice: choice) { event = opening }
                        hasOpened[choice] = true
                        event.writeImmutableBuffer(try format.event(choice: choice, delta))
                        try await writer.write(event)
                    }
                }
                let usage = Usage(promptTokens: plan.promptTokenCount, completionTokens: session.completionTokenCount)
                if includesUsage { try await writer.write(try format.event(usage)) }
                log(plan, usage)
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
                "completionTokens": "\(usage.completionTokens)",
            ])
    }
}
