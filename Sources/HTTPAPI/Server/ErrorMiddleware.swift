import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOHTTP1

/// Answers every error in OpenAI's shape.
struct ErrorMiddleware: RouterMiddleware {
    let logger: Logger

    func handle(
        _ request: Request, context: ConnectionContext,
        next: (Request, ConnectionContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as HTTPParserError {
            // Hummingbird answers these itself and closes the connection.
            throw error
        } catch is ClientDisconnected {
            logger.debug("client disconnected", metadata: ["path": "\(request.uri.path)"])
            // Nobody reads this; 499 is what nginx logs for it.
            return Response(status: HTTPResponse.Status(code: 499, reasonPhrase: "Client Closed Request"))
        } catch let error as HTTPError where error.status == .notFound {
            return Self.response(to: .init(APIError.routeNotFound(path: request.uri.path)))
        } catch {
            let answer = ErrorAnswer(error)
            if answer.status.code >= 500 {
                logger.warning(
                    "request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            }
            return Self.response(to: answer)
        }
    }

    static func response(to answer: ErrorAnswer) -> Response {
        var headers: HTTPFields = [.contentType: "application/json"]
        if let seconds = answer.retryAfterSeconds { headers[.retryAfter] = String(seconds) }
        if let methods = answer.allowedMethods { headers[.allow] = methods }
        if answer.status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
        // A string-only structure always has a JSON form.
        let body = (try? ResponseJSON.data(ErrorBody(answer))) ?? Data()
        return Response(
            status: answer.status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }
}
