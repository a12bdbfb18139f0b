// Multicast groups and their nodes, as `simple_pre` has them: copies go to ports.
//
// Facts of the wire only: names, field ids, types, numbers. What they mean stands where they are served.

enum McOperationErrorCode {
  TABLE_FULL = 1,
  INVALID_MGID = 2,
  INVALID_MGRP_HANDLE = 3,
  INVALID_L1_HANDLE = 4,
  ERROR = 5,
}

exception InvalidMcOperation {
  1: McOperationErrorCode code,
}

service SimplePre {
  i32 bm_mc_mgrp_create(1: i32 cxt_id, 2: i32 mgrp) throws (1: InvalidMcOperation failure),
  void bm_mc_mgrp_destroy(1: i32 cxt_id, 2: i32 mgrp_handle) throws (1: InvalidMcOperation failure),
  i32 bm_mc_node_create(1: i32 cxt_id, 2: i32 rid, 3: string port_map) throws (1: InvalidMcOperation failure),
  void bm_mc_node_associate(1: i32 cxt_id, 2: i32 mgrp_handle, 3: i32 l1_handle) throws (1: InvalidMcOperation failure),
  void bm_mc_node_dissociate(1: i32 cxt_id, 2: i32 mgrp_handle, 3: i32 l1_handle) throws (1: InvalidMcOperation failure),
  void bm_mc_node_destroy(1: i32 cxt_id, 2: i32 l1_handle) throws (1: InvalidMcOperation failure),
  void bm_mc_node_update(1: i32 cxt_id, 2: i32 l1_handle, 3: string port_map) throws (1: InvalidMcOperation failure),
  string bm_mc_get_entries(1: i32 cxt_id) throws (1: InvalidMcOperation failure),
}
