// Every setting of the service with its default. Read from a file by ConfigurationReader; knows no file itself.

public import Engine
public import HTTP
import Model

public struct Configuration: Equatable, Sendable {
    public struct Server: Equatable, Sendable {
        public var host = "127.0.0.1"
        /// 0 lets the system choose.
        public var port = 8080
        /// Event loops; 0 means one less than the machine has cores, at least one.
        public var loops = 0
        public var maxConnections = 20_000
        public var maxBodyBytes = 1 << 20
        public var maxBatchBodyBytes = 64 << 20
        public var headTimeoutSeconds = 10
        public var bodyTimeoutSeconds = 30
        public var idleTimeoutSeconds = 75
        public var writeTimeoutSeconds = 10
        /// How long `/readyz` fails before the listener closes, so that a load balancer notices first.
        public var drainPauseSeconds = 0
        /// How long requests in flight may take to end after that.
        public var drainTimeoutSeconds = 30
    }

    public struct Storage: Equatable, Sendable {
        public var directory = "./berth-data"
        public var segmentMiB = 64
        /// Space kept free for a snapshot: with less, writes are refused.
        public var reserveMiB = 64
        /// A snapshot is taken after so much journal.
        public var snapshotEveryMiB = 256
        /// False answers before facts are on disk: for benchmarks alone.
        public var flush = true
    }

    public struct Scheduler: Equatable, Sendable {
        /// Jobs placed by one command before others are let in.
        public var placementsPerCommand = 1000
        public var batchSearchSteps = 8192
        /// Blocked jobs that have a place kept for them; 0 for none.
        public var reservations = 32
        /// Placements made past a waiting job before a place is kept for it ahead of all others.
        public var placementsBeforeReservation = 1000
        /// A place that is kept is sought again after so long.
        public var reservationSeconds = 60
        /// How long a job is taken to run that does not say.
        public var assumedRuntimeSeconds = 86_400
        /// Seconds of waiting for which a job wins a point of priority; 0 for none.
        public var agingSeconds = 3600
        /// The most points that a job wins by waiting.
        public var agingPoints = 24
        /// Seconds that a job may take to stop when it must leave for a higher claim; 0 for none.
        public var preemptionGraceSeconds = 30
        public var repairGraceSeconds = 60
        public var resizeIntervalSeconds = 300
        /// Gangs of one tenant that may be asked to leave in one hour of the clock.
        public var evictionsPerTenantAndHour = 1000
        /// A job that was preempted so often is left in peace.
        public var preemptionsBeforeProtection = 3
        /// Gangs that one search for victims chooses from.
        public var preemptionCandidates = 16_384
        /// Times that gangs are released on trial before a command leaves further searches to the next.
        public var preemptionReleasesPerCommand = 4096
        /// After so long, what a tenant used counts half in its share.
        public var fairShareHalfLifeSeconds = 7 * 86_400
        /// Requests that wait for the writer; one more is answered with 503.
        public var inboxCapacity = 4096
    }

    public struct Limits: Equatable, Sendable {
        public var liveJobs = 2_000_000
        public var endedJobs = 100_000
        public var queuedShapes = 100_000
        public var queuedDemands = 256
        /// Tenants, with those that jobs only name.
        public var tenants = 10_000
        public var priorityClasses = 256
        public var batchLines = 20_000
    }

    public struct Log: Equatable, Sendable {
        public enum Format: String, CaseIterable, Sendable { case text, json }
        public enum Level: String, CaseIterable, Sendable { case debug, info, notice, warning, error }

        public var level = Level.notice
        public var format = Format.text
    }

    public var server = Server()
    public var storage = Storage()
    public var scheduler = Scheduler()
    public var limits = Limits()
    public var log = Log()

    public init() {}

    /// The part that the engine's decisions depend on.
    public var engine: EngineSettings {
        var settings = EngineSettings()
        settings.limits.liveJobs = limits.liveJobs
        settings.limits.endedJobs = limits.endedJobs
        settings.limits.queuedShapes = limits.queuedShapes
        settings.queuedDemands = limits.queuedDemands
        settings.limits.tenants = limits.tenants
        settings.limits.priorityClasses = limits.priorityClasses
        settings.placementsPerCommand = scheduler.placementsPerCommand
        settings.batchSearchSteps = scheduler.batchSearchSteps
        settings.reservations = scheduler.reservations
        settings.reservationSeconds = scheduler.reservationSeconds
        settings.assumedRuntimeSeconds = scheduler.assumedRuntimeSeconds
        settings.placementsBeforeReservation = scheduler.placementsBeforeReservation
        settings.agingSeconds = scheduler.agingSeconds
        settings.agingPoints = scheduler.agingPoints
        settings.preemptionGraceSeconds = scheduler.preemptionGraceSeconds
        settings.repairGraceSeconds = scheduler.repairGraceSeconds
        settings.resizeIntervalSeconds = scheduler.resizeIntervalSeconds
        settings.evictionsPerTenantAndHour = scheduler.evictionsPerTenantAndHour
        settings.preemptionsBeforeProtection = scheduler.preemptionsBeforeProtection
        settings.preemptionCandidates = scheduler.preemptionCandidates
        settings.preemptionReleasesPerCommand = scheduler.preemptionReleasesPerCommand
        return settings
    }

    /// The part that the HTTP server needs.
    public var http: HTTPConfiguration {
        var http = HTTPConfiguration()
        http.host = server.host
        http.port = UInt16(server.port)
        if server.loops > 0 { http.loopCount = server.loops }
        http.connectionLimit = server.maxConnections
        http.limits.bodyBytes = server.maxBodyBytes
        http.headTimeoutMilliseconds = UInt64(server.headTimeoutSeconds) * 1000
        http.bodyTimeoutMilliseconds = UInt64(server.bodyTimeoutSeconds) * 1000
        http.idleTimeoutMilliseconds = UInt64(server.idleTimeoutSeconds) * 1000
        http.writeTimeoutMilliseconds = UInt64(server.writeTimeoutSeconds) * 1000
        return http
    }
}
