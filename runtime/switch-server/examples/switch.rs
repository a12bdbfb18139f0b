//! A switch without ports that serves P4Runtime until it is killed, to try clients against it:
//!
//! ```sh
//! cargo run -p vouch-switch-server --example switch -- 127.0.0.1:9559 [DEVICE_ID] [--bmv2-compat]
//! ```

use std::error::Error;

use vouch_switch_server::SwitchServer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (options, words): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|word| word.starts_with("--"));
    let address = words.first().map_or("127.0.0.1:9559", String::as_str);
    let device_id = words.get(1).map_or(Ok(1), |word| word.parse())?;
    let mut builder = SwitchServer::builder().device_id(device_id);
    for option in options {
        builder = match option.as_str() {
            "--bmv2-compat" => builder.bmv2_compat(true),
            other => return Err(format!("option {other} does not exist: --bmv2-compat is the only one").into()),
        };
    }
    let switch = builder.build()?.listen(address).await?;
    println!("device {device_id} at {}", switch.local_addr());
    tokio::signal::ctrl_c().await?;
    switch.shutdown().await;
    Ok(())
}
