import Hummingbird
public import Logging
import NIOCore
public import ServiceLifecycle

/// The OpenAI-compatible HTTP server.
///
/// On a graceful shutdown it takes no new connections, lets running requests go on for the configured grace, then ends
/// them with an error that says so.
public final class HTTPServer: Service {
    /// Time for ended requests to write their last words after the grace.
    private static let farewell = Duration.seconds(2)

    private let configuration: HTTPServerConfiguration
    let api: API
    private let registry: ConnectionRegistry
    private let shutDown = Latch()
    private let bound = BoundPort()
    private let logger: Logger

    /// - Parameters:
    ///   - model: the one model that is served.
    ///   - engine: where generation happens.
    ///   - codec: the model's tokeniser and chat template.
    ///   - access: whose keys are wanted; nil: anyone may ask for anything.
    public init(
        configuration: HTTPServerConfiguration, model: ServedModel, engine: any GenerationEngine,
        codec: any TextCodec, access: ClientAccess? = nil, logger: Logger
    ) {
        self.configuration = configuration
        self.logger = logger
        registry = ConnectionRegistry()
        api = API(
            model: model, engine: engine, codec: codec, access: access, limits: configuration.limits,
            bodies: BodyBudget(byteCount: configuration.limits.totalBodyByteCount), registry: registry,
            shutDown: shutDown, logger: logger)
    }

    /// The port that is listened on, once it is.
    ///
    /// - Throws: ``HTTPServerError/notRunning`` if the server ended before that, or `CancellationError`.
    public var port: Int { get async throws { try await bound.value() } }

    /// Connections that are open at this moment.
    public var connectionCount: Int { registry.connectionCount }

    /// Serves until the service group shuts down.
    ///
    /// - Throws: ``HTTPServerError/cannotListen(host:port:reason:)``.
    public func run() async throws {
        defer { bound.giveUp() }
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer { group.cancelAll() }
                group.addTask { try await self.application().run() }
                group.addTask { try await self.endRequestsAfterGrace() }
                // The second task only ends when requests have outstayed the grace, or with the whole group.
                try await group.next()
            }
        } catch let error where bound.current == nil && !(error is CancellationError) {
            throw HTTPServerError.cannotListen(
                host: configuration.host, port: configuration.port, reason: "\(error)")
        }
    }

    private func endRequestsAfterGrace() async throws {
        try await gracefulShutdown()
        logger.info("HTTP server is shutting down", metadata: ["connections": "\(connectionCount)"])
        try await Task.sleep(for: configuration.limits.shutdownGrace)
        shutDown.open()
        try await Task.sleep(for: Self.farewell)
        logger.warning("connections outlasted the shutdown", metadata: ["connections": "\(connectionCount)"])
    }

    private func application() -> some ApplicationProtocol {
        let limits = configuration.limits
        let registry = registry
        let bound = bound
        let host = configuration.host
        let logger = logger
        // What Hummingbird has to say about starting and stopping is said here.
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .error)
        return Application(
            router: api.router(),
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [
                        ConnectionWatch(registry: registry, stallTimeout: TimeAmount(limits.stallTimeout))
                    ],
                    idleTimeout: TimeAmount(limits.idleTimeout),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: limits.headerByteCount, maxHeaderListSize: limits.headerByteCount,
                        maxHeaderFieldCount: limits.headerFieldCount))),
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: configuration.port),
                availableConnectionsDelegate: .maximum(limits.connectionCount, logger: quiet)),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? 0
                logger.info("HTTP server listens", metadata: ["address": "\(host):\(port)"])
                bound.settle(port)
            },
            logger: quiet)
    }
}
