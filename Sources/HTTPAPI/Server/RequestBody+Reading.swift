import Hummingbird
import NIOCore

extension Request {
    /// The whole body.
    ///
    /// - Parameter share: is asked for room before a part of the body is kept.
    /// - Throws: ``APIError/bodyTooLarge(limitByteCount:)`` before more than the limit has been kept,
    ///   ``APIError/bodiesTooLarge(limitByteCount:)``, or ``APIError/bodyTimedOut(seconds:)``.
    func readBody(limits: HTTPLimits, share: BodyBudget.Share) async throws -> [UInt8] {
        let limit = limits.bodyByteCount
        if let length = headers[.contentLength].flatMap({ Int($0) }), length > limit {
            throw APIError.bodyTooLarge(limitByteCount: limit)
        }
        let body = body
        return try await withThrowingTaskGroup(of: [UInt8].self) { group in
            defer { group.cancelAll() }
            group.addTask {
                var bytes: [UInt8] = []
                for try await part in body {
                    guard bytes.count + part.readableBytes <= limit else {
                        throw APIError.bodyTooLarge(limitByteCount: limit)
                    }
                    try share.take(part.readableBytes)
                    bytes.append(contentsOf: part.readableBytesView)
                }
                return bytes
            }
            group.addTask {
                try await Task.sleep(for: limits.bodyTimeout)
                throw APIError.bodyTimedOut(seconds: Int(limits.bodyTimeout.components.seconds))
            }
            guard let bytes = try await group.next() else { throw CancellationError() }
            return bytes
        }
    }
}
