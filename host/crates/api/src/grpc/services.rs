//! The gRPC services: the table of RPCs and their operations.

use tessera_proto::facts::v1 as facts;
use tessera_proto::issues::v1 as issues;
use tessera_proto::plugin::v1 as plugins;
use tessera_proto::project::v1 as projects;
use tessera_proto::tenancy::v1 as tenancy;
use tessera_proto::ticket::v1 as tickets;
use tessera_proto::user::{v1 as users, v2 as users_v2};
use tonic::{Request, Response, Status, Streaming};

use crate::grpc::authentication::Rpcs;
use crate::grpc::call::Grpc;
use crate::grpc::response_stream::ResponseStream;
use crate::grpc::streams;
use crate::operations::{
    booking, check_in, command, comment, dynamic_pricing, event, fact, hold_rules, installation, inventory,
    issue, key, label, link, pricing, project, promotion, release, reservation, scheme, series, tenant,
    ticket, ticket_type, timer, transition, user_v1, user_v2, venue, watcher,
};
use crate::state::AuthMode;

/// Implements a service: each line is an RPC, its request and response, and its operation. Only RPCs under `public`
/// need no key.
macro_rules! service {
    ($($module:ident)::+: $service:ident, $server:ident {
        $($rpc:ident($request:ty) -> $response:ty = $operation:path;)*
    } $(public {
        $($open_rpc:ident($open_request:ty) -> $open_response:ty = $open_operation:path;)*
    })? $(stream $auth:ident {
        $streaming:ident($opening:ty) -> $stream:ident($item:ty) = $open:path, $send:path;
    })?) => {
        #[tonic::async_trait]
        impl $($module)::+::$service for Grpc {
            $(
                async fn $rpc(&self, request: Request<$request>) -> Result<Response<$response>, Status> {
                    self.unary(request, $operation).await
                }
            )*
            $($(
                async fn $open_rpc(&self, request: Request<$open_request>) -> Result<Response<$open_response>, Status> {
                    self.unary(request, $open_operation).await
                }
            )*)?
            $(
                type $stream = ResponseStream<$item>;

                async fn $streaming(&self, request: Request<$opening>) -> Result<Response<ResponseStream<$item>>, Status> {
                    self.stream(request, |ctx, message| $open(self, ctx, message), $send).await
                }
            )?
        }

        impl Rpcs for $($module)::+::$server<Grpc> {
            const MODES: &'static [(&'static str, AuthMode)] = &[
                $((stringify!($rpc), AuthMode::Keyed),)*
                $($((stringify!($open_rpc), AuthMode::Public),)*)?
                $((stringify!($streaming), AuthMode::$auth),)?
            ];
        }
    };
}

service!(users::user_service_server: UserService, UserServiceServer {
    create_user(users::CreateUserRequest) -> users::CreateUserResponse = user_v1::create;
    get_user(users::GetUserRequest) -> users::GetUserResponse = user_v1::get;
    update_user(users::UpdateUserRequest) -> users::UpdateUserResponse = user_v1::update;
    delete_user(users::DeleteUserRequest) -> users::DeleteUserResponse = user_v1::delete;
    list_users(users::ListUsersRequest) -> users::ListUsersResponse = user_v1::list;
});

service!(users_v2::user_service_server: UserService, UserServiceServer {
    create_user(users_v2::CreateUserRequest) -> users_v2::CreateUserResponse = user_v2::create;
    get_user(users_v2::GetUserRequest) -> users_v2::GetUserResponse = user_v2::get;
    update_user(users_v2::UpdateUserRequest) -> users_v2::UpdateUserResponse = user_v2::update;
    delete_user(users_v2::DeleteUserRequest) -> users_v2::DeleteUserResponse = user_v2::delete;
    list_users(users_v2::ListUsersRequest) -> users_v2::ListUsersResponse = user_v2::list;
    bulk_create_users(users_v2::BulkCreateUsersRequest) -> users_v2::BulkCreateUsersResponse = user_v2::bulk_create;
    deactivate_user(users_v2::DeactivateUserRequest) -> users_v2::DeactivateUserResponse = user_v2::deactivate;
    activate_user(users_v2::ActivateUserRequest) -> users_v2::ActivateUserResponse = user_v2::activate;
    search_users(users_v2::SearchUsersRequest) -> users_v2::SearchUsersResponse = user_v2::search;
});

service!(projects::project_service_server: ProjectService, ProjectServiceServer {
    create_project(projects::CreateProjectRequest) -> projects::CreateProjectResponse = project::create;
    get_project(projects::GetProjectRequest) -> projects::GetProjectResponse = project::get;
    update_project(projects::UpdateProjectRequest) -> projects::UpdateProjectResponse = project::update;
    delete_project(projects::DeleteProjectRequest) -> () = project::delete;
    list_projects(projects::ListProjectsRequest) -> projects::ListProjectsResponse = project::list;
    update_project_with_issue(projects::UpdateProjectWithIssueRequest) -> projects::UpdateProjectWithIssueResponse
        = project::add_issue;
    get_scheme(projects::GetSchemeRequest) -> projects::GetSchemeResponse = scheme::get;
    set_scheme(projects::SetSchemeRequest) -> projects::SetSchemeResponse = scheme::set;
    reset_scheme(projects::ResetSchemeRequest) -> projects::ResetSchemeResponse = scheme::reset;
} stream Keyed {
    stream_project_updates(Streaming<projects::StreamProjectUpdatesRequest>)
        -> StreamProjectUpdatesStream(projects::StreamProjectUpdatesResponse)
        = streams::open_project_updates, streams::send_project_updates;
});

service!(issues::issues_service_server: IssuesService, IssuesServiceServer {
    create_issue(issues::CreateIssueRequest) -> issues::CreateIssueResponse = issue::create;
    get_issue(issues::GetIssueRequest) -> issues::GetIssueResponse = issue::get;
    update_issue(issues::UpdateIssueRequest) -> issues::UpdateIssueResponse = issue::update;
    delete_issue(issues::DeleteIssueRequest) -> issues::DeleteIssueResponse = issue::delete;
    list_issues(issues::ListIssuesRequest) -> issues::ListIssuesResponse = issue::list;
    list_transitions(issues::ListTransitionsRequest) -> issues::ListTransitionsResponse = transition::list;
    transition_issue(issues::TransitionIssueRequest) -> issues::TransitionIssueResponse = transition::make;
    list_issue_commands(issues::ListIssueCommandsRequest) -> issues::ListIssueCommandsResponse = command::list;
    call_issue_command(issues::CallIssueCommandRequest) -> issues::CallIssueCommandResponse = command::call;
    assign_issue(issues::AssignIssueRequest) -> issues::AssignIssueResponse = issue::assign;
    bulk_update_issues(issues::BulkUpdateIssuesRequest) -> issues::BulkUpdateIssuesResponse = issue::bulk_update;
    add_comment(issues::AddCommentRequest) -> issues::AddCommentResponse = comment::add;
    list_comments(issues::ListCommentsRequest) -> issues::ListCommentsResponse = comment::list;
    update_comment(issues::UpdateCommentRequest) -> issues::UpdateCommentResponse = comment::update;
    delete_comment(issues::DeleteCommentRequest) -> issues::DeleteCommentResponse = comment::delete;
    add_label(issues::AddLabelRequest) -> issues::AddLabelResponse = label::add;
    remove_label(issues::RemoveLabelRequest) -> issues::RemoveLabelResponse = label::remove;
    add_link(issues::AddLinkRequest) -> issues::AddLinkResponse = link::add;
    remove_link(issues::RemoveLinkRequest) -> issues::RemoveLinkResponse = link::remove;
    list_links(issues::ListLinksRequest) -> issues::ListLinksResponse = link::list;
    add_watcher(issues::AddWatcherRequest) -> issues::AddWatcherResponse = watcher::add;
    remove_watcher(issues::RemoveWatcherRequest) -> issues::RemoveWatcherResponse = watcher::remove;
    list_watchers(issues::ListWatchersRequest) -> issues::ListWatchersResponse = watcher::list;
    list_history(issues::ListHistoryRequest) -> issues::ListHistoryResponse = issue::history;
});

service!(plugins::plugin_service_server: PluginService, PluginServiceServer {
    upload_release(plugins::UploadReleaseRequest) -> plugins::UploadReleaseResponse = release::upload;
    get_release(plugins::GetReleaseRequest) -> plugins::GetReleaseResponse = release::get;
    list_releases(plugins::ListReleasesRequest) -> plugins::ListReleasesResponse = release::list;
    delete_release(plugins::DeleteReleaseRequest) -> plugins::DeleteReleaseResponse = release::delete;
    test_release(plugins::TestReleaseRequest) -> plugins::TestReleaseResponse = release::test;
    create_installation(plugins::CreateInstallationRequest) -> plugins::CreateInstallationResponse
        = installation::create;
    get_installation(plugins::GetInstallationRequest) -> plugins::GetInstallationResponse = installation::get;
    list_installations(plugins::ListInstallationsRequest) -> plugins::ListInstallationsResponse
        = installation::list;
    update_installation(plugins::UpdateInstallationRequest) -> plugins::UpdateInstallationResponse
        = installation::update;
    rollback_installation(plugins::RollbackInstallationRequest) -> plugins::RollbackInstallationResponse
        = installation::rollback;
    delete_installation(plugins::DeleteInstallationRequest) -> plugins::DeleteInstallationResponse
        = installation::delete;
    list_installation_calls(plugins::ListInstallationCallsRequest) -> plugins::ListInstallationCallsResponse
        = installation::calls;
    list_installation_timers(plugins::ListInstallationTimersRequest) -> plugins::ListInstallationTimersResponse
        = timer::list;
    retry_installation_timers(plugins::RetryInstallationTimersRequest) -> plugins::RetryInstallationTimersResponse
        = timer::retry;
});

service!(tickets::catalog_service_server: CatalogService, CatalogServiceServer {
    create_venue(tickets::CreateVenueRequest) -> tickets::CreateVenueResponse = venue::create;
    update_venue(tickets::UpdateVenueRequest) -> tickets::UpdateVenueResponse = venue::update;
    delete_venue(tickets::DeleteVenueRequest) -> tickets::DeleteVenueResponse = venue::delete;
    create_series(tickets::CreateSeriesRequest) -> tickets::CreateSeriesResponse = series::create;
    update_series(tickets::UpdateSeriesRequest) -> tickets::UpdateSeriesResponse = series::update;
    delete_series(tickets::DeleteSeriesRequest) -> tickets::DeleteSeriesResponse = series::delete;
    create_event(tickets::CreateEventRequest) -> tickets::CreateEventResponse = event::create;
    update_event(tickets::UpdateEventRequest) -> tickets::UpdateEventResponse = event::update;
    delete_event(tickets::DeleteEventRequest) -> tickets::DeleteEventResponse = event::delete;
    create_ticket_type(tickets::CreateTicketTypeRequest) -> tickets::CreateTicketTypeResponse = ticket_type::create;
    update_ticket_type(tickets::UpdateTicketTypeRequest) -> tickets::UpdateTicketTypeResponse = ticket_type::update;
    delete_ticket_type(tickets::DeleteTicketTypeRequest) -> tickets::DeleteTicketTypeResponse = ticket_type::delete;
} public {
    get_venue(tickets::GetVenueRequest) -> tickets::GetVenueResponse = venue::get;
    list_venues(tickets::ListVenuesRequest) -> tickets::ListVenuesResponse = venue::list;
    get_series(tickets::GetSeriesRequest) -> tickets::GetSeriesResponse = series::get;
    list_series(tickets::ListSeriesRequest) -> tickets::ListSeriesResponse = series::list;
});

service!(tickets::inventory_service_server: InventoryService, InventoryServiceServer {
    get_inventory_levels(tickets::GetInventoryLevelsRequest) -> tickets::GetInventoryLevelsResponse
        = inventory::levels;
    update_inventory(tickets::UpdateInventoryRequest) -> tickets::UpdateInventoryResponse = inventory::update;
    create_pool(tickets::CreatePoolRequest) -> tickets::CreatePoolResponse = inventory::create_pool;
    delete_pool(tickets::DeletePoolRequest) -> tickets::DeletePoolResponse = inventory::delete_pool;
    lock_inventory(tickets::LockInventoryRequest) -> tickets::LockInventoryResponse = inventory::lock;
    unlock_inventory(tickets::UnlockInventoryRequest) -> tickets::UnlockInventoryResponse = inventory::unlock;
    list_locks(tickets::ListLocksRequest) -> tickets::ListLocksResponse = inventory::locks;
    import_seats(tickets::ImportSeatsRequest) -> tickets::ImportSeatsResponse = inventory::import_seats;
    delete_seats(tickets::DeleteSeatsRequest) -> tickets::DeleteSeatsResponse = inventory::delete_seats;
    get_hold_rules(tickets::GetHoldRulesRequest) -> tickets::GetHoldRulesResponse = hold_rules::get;
    set_hold_rules(tickets::SetHoldRulesRequest) -> tickets::SetHoldRulesResponse = hold_rules::set;
} public {
    check_availability(tickets::CheckAvailabilityRequest) -> tickets::CheckAvailabilityResponse = inventory::check;
    list_seats(tickets::ListSeatsRequest) -> tickets::ListSeatsResponse = inventory::list_seats;
});

service!(tickets::pricing_service_server: PricingService, PricingServiceServer {
    get_quote(tickets::GetQuoteRequest) -> tickets::GetQuoteResponse = pricing::get_quote;
    get_pricing_rules(tickets::GetPricingRulesRequest) -> tickets::GetPricingRulesResponse = pricing::rules_of_event;
    create_pricing_rule(tickets::CreatePricingRuleRequest) -> tickets::CreatePricingRuleResponse
        = pricing::create_rule;
    get_pricing_rule(tickets::GetPricingRuleRequest) -> tickets::GetPricingRuleResponse = pricing::get_rule;
    list_pricing_rules(tickets::ListPricingRulesRequest) -> tickets::ListPricingRulesResponse = pricing::list_rules;
    update_pricing_rule(tickets::UpdatePricingRuleRequest) -> tickets::UpdatePricingRuleResponse
        = pricing::update_rule;
    delete_pricing_rule(tickets::DeletePricingRuleRequest) -> tickets::DeletePricingRuleResponse
        = pricing::delete_rule;
    test_pricing_rule(tickets::TestPricingRuleRequest) -> tickets::TestPricingRuleResponse = pricing::test_rule;
} public {
    calculate_price(tickets::CalculatePriceRequest) -> tickets::CalculatePriceResponse = pricing::calculate;
    apply_discount(tickets::ApplyDiscountRequest) -> tickets::ApplyDiscountResponse = pricing::apply_discount;
    get_dynamic_pricing(tickets::GetDynamicPricingRequest) -> tickets::GetDynamicPricingResponse
        = dynamic_pricing::get;
});

service!(tickets::promotion_service_server: PromotionService, PromotionServiceServer {
    create_promotion(tickets::CreatePromotionRequest) -> tickets::CreatePromotionResponse = promotion::create;
    get_promotion(tickets::GetPromotionRequest) -> tickets::GetPromotionResponse = promotion::get;
    list_promotions(tickets::ListPromotionsRequest) -> tickets::ListPromotionsResponse = promotion::list;
    update_promotion(tickets::UpdatePromotionRequest) -> tickets::UpdatePromotionResponse = promotion::update;
    delete_promotion(tickets::DeletePromotionRequest) -> tickets::DeletePromotionResponse = promotion::delete;
    create_promotion_codes(tickets::CreatePromotionCodesRequest) -> tickets::CreatePromotionCodesResponse
        = promotion::create_codes;
    list_promotion_codes(tickets::ListPromotionCodesRequest) -> tickets::ListPromotionCodesResponse
        = promotion::list_codes;
    delete_promotion_code(tickets::DeletePromotionCodeRequest) -> tickets::DeletePromotionCodeResponse
        = promotion::delete_code;
});

service!(tickets::check_in_service_server: CheckInService, CheckInServiceServer {
    validate_ticket(tickets::ValidateTicketRequest) -> tickets::ValidateTicketResponse = check_in::validate;
    check_in(tickets::CheckInRequest) -> tickets::CheckInResponse = check_in::create;
    check_in_batch(tickets::CheckInBatchRequest) -> tickets::CheckInBatchResponse = check_in::batch;
    get_check_in(tickets::GetCheckInRequest) -> tickets::GetCheckInResponse = check_in::get;
    list_check_ins(tickets::ListCheckInsRequest) -> tickets::ListCheckInsResponse = check_in::list;
    undo_check_in(tickets::UndoCheckInRequest) -> tickets::UndoCheckInResponse = check_in::undo;
    get_event_stats(tickets::GetEventStatsRequest) -> tickets::GetEventStatsResponse = check_in::stats;
});

service!(tickets::booking_service_server: BookingService, BookingServiceServer {
    enqueue_booking(tickets::EnqueueBookingRequest) -> tickets::EnqueueBookingResponse = booking::enqueue;
    get_queue_position(tickets::GetQueuePositionRequest) -> tickets::GetQueuePositionResponse = booking::get;
    set_queue(tickets::SetQueueRequest) -> tickets::SetQueueResponse = booking::set;
    cancel_queue_item(tickets::CancelQueueItemRequest) -> tickets::CancelQueueItemResponse = booking::cancel;
} public {
    get_queue_status(tickets::GetQueueStatusRequest) -> tickets::GetQueueStatusResponse = booking::status;
} stream Keyed {
    stream_queue_position(tickets::StreamQueuePositionRequest)
        -> StreamQueuePositionStream(tickets::StreamQueuePositionResponse)
        = streams::open_position, streams::send_position;
});

service!(tickets::ticket_service_server: TicketService, TicketServiceServer {
    reserve_tickets(tickets::ReserveTicketsRequest) -> tickets::ReserveTicketsResponse = reservation::reserve;
    confirm_reservation(tickets::ConfirmReservationRequest) -> tickets::ConfirmReservationResponse
        = reservation::confirm;
    extend_reservation(tickets::ExtendReservationRequest) -> tickets::ExtendReservationResponse
        = reservation::extend;
    release_tickets(tickets::ReleaseTicketsRequest) -> tickets::ReleaseTicketsResponse = reservation::release;
    get_reservation(tickets::GetReservationRequest) -> tickets::GetReservationResponse = reservation::get;
    list_reservations(tickets::ListReservationsRequest) -> tickets::ListReservationsResponse = reservation::list;
    list_tickets(tickets::ListTicketsRequest) -> tickets::ListTicketsResponse = ticket::list;
    print_ticket(tickets::PrintTicketRequest) -> tickets::PrintTicketResponse = ticket::print;
    transfer_ticket(tickets::TransferTicketRequest) -> tickets::TransferTicketResponse = ticket::transfer;
    cancel_ticket(tickets::CancelTicketRequest) -> tickets::CancelTicketResponse = ticket::cancel;
    list_revoked_codes(tickets::ListRevokedCodesRequest) -> tickets::ListRevokedCodesResponse = ticket::revoked;
    rotate_signing_keys(tickets::RotateSigningKeysRequest) -> tickets::RotateSigningKeysResponse = ticket::rotate;
} public {
    get_ticket(tickets::GetTicketRequest) -> tickets::GetTicketResponse = ticket::get;
    get_events(tickets::GetEventsRequest) -> tickets::GetEventsResponse = event::list;
    get_event_by_id(tickets::GetEventByIdRequest) -> tickets::GetEventByIdResponse = event::get;
    get_event_categories(tickets::GetEventCategoriesRequest) -> tickets::GetEventCategoriesResponse
        = event::categories;
    get_featured_events(tickets::GetFeaturedEventsRequest) -> tickets::GetFeaturedEventsResponse = event::featured;
    get_ticket_types(tickets::GetTicketTypesRequest) -> tickets::GetTicketTypesResponse = ticket_type::list;
    get_ticket_type(tickets::GetTicketTypeRequest) -> tickets::GetTicketTypeResponse = ticket_type::get;
    get_available_tickets(tickets::GetAvailableTicketsRequest) -> tickets::GetAvailableTicketsResponse
        = reservation::available_tickets;
    list_signing_keys(tickets::ListSigningKeysRequest) -> tickets::ListSigningKeysResponse = ticket::keys;
} stream Public {
    stream_availability(tickets::StreamAvailabilityRequest)
        -> StreamAvailabilityStream(tickets::StreamAvailabilityResponse)
        = streams::open_availability, streams::send_availability;
});

service!(tenancy::tenant_service_server: TenantService, TenantServiceServer {
    create_tenant(tenancy::CreateTenantRequest) -> tenancy::CreateTenantResponse = tenant::create;
    get_tenant(tenancy::GetTenantRequest) -> tenancy::GetTenantResponse = tenant::get;
    list_tenants(tenancy::ListTenantsRequest) -> tenancy::ListTenantsResponse = tenant::list;
    update_tenant(tenancy::UpdateTenantRequest) -> tenancy::UpdateTenantResponse = tenant::update;
    suspend_tenant(tenancy::SuspendTenantRequest) -> tenancy::SuspendTenantResponse = tenant::suspend;
    resume_tenant(tenancy::ResumeTenantRequest) -> tenancy::ResumeTenantResponse = tenant::resume;
});

service!(tenancy::key_service_server: KeyService, KeyServiceServer {
    create_key(tenancy::CreateKeyRequest) -> tenancy::CreateKeyResponse = key::create;
    get_key(tenancy::GetKeyRequest) -> tenancy::GetKeyResponse = key::get;
    list_keys(tenancy::ListKeysRequest) -> tenancy::ListKeysResponse = key::list;
    revoke_key(tenancy::RevokeKeyRequest) -> tenancy::RevokeKeyResponse = key::revoke;
    who_am_i(tenancy::WhoAmIRequest) -> tenancy::WhoAmIResponse = key::who_am_i;
});

service!(facts::facts_service_server: FactsService, FactsServiceServer {
    list_audit(facts::ListAuditRequest) -> facts::ListAuditResponse = fact::audit;
} stream Keyed {
    stream_facts(facts::StreamFactsRequest) -> StreamFactsStream(facts::StreamFactsResponse)
        = streams::open_facts, streams::send_facts;
});
